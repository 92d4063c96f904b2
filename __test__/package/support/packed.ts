import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { pack, type Packed } from '../../../scripts/pack.mjs'
import { root } from '../../support/child.js'

export type { Packed }

export interface Manifest {
  name: string
  version: string
  main: string
  files: string[]
  [field: string]: any
}

export const manifest = (folder: string): Manifest =>
  JSON.parse(readFileSync(path.join(root, folder, 'package.json'), 'utf8')) as Manifest

/** The packages of the platforms, whether their addon is here or not. */
export const platforms: Manifest[] = readdirSync(path.join(root, 'npm')).map((name) =>
  manifest(`npm/${name}`),
)

/** The published packages, packed for the tests of a file; the main package comes first. */
export function usePacked(): () => Packed[] {
  const folder = mkdtempSync(path.join(tmpdir(), 'packed-'))
  let packed: Packed[]
  beforeAll(() => {
    packed = pack(folder)
  })
  afterAll(() => rmSync(folder, { recursive: true }))
  return () => packed
}
