import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { readFileSync } from 'node:fs'
import { publint } from 'publint'
import { expect, test } from 'vitest'
import { usePacked } from './support/packed.js'

const packed = usePacked()

const servers = ['express', 'fastify', 'hono', 'koa', 'nest', 'next', 'node'].map(
  (name) => `./${name}`,
)

test('publint finds nothing', async () => {
  const data = readFileSync(packed()[0]!.file)
  const tarball = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)
  const { messages } = await publint({ pack: { tarball }, strict: true })
  expect(messages).toEqual([])
})

test('the types are right for every way to resolve modules', async () => {
  const tarball = createPackageFromTarballData(readFileSync(packed()[0]!.file))
  const result = await checkPackage(tarball)
  expect(result).toMatchObject({ problems: [] })
  expect(Object.keys('entrypoints' in result ? result.entrypoints : {})).toEqual(
    expect.arrayContaining(['.', ...servers]),
  )
})
