import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { read } from '../docs/markdown.js'

interface Step {
  run?: string
  uses?: string
  with?: Record<string, unknown>
}
type Workflow = { jobs: Record<string, { steps: Step[] }> }

const folder = '.github/workflows'
const workflows = readdirSync(folder).map((name) => ({
  name,
  jobs: Object.entries((parse(read(`${folder}/${name}`)) as Workflow).jobs),
}))

/** A command that installs a tool from a registry, and the same with an exact version. */
const INSTALLS = /\b(cargo install|pipx run|pip install|npm install|npm i|npx) .*/g
const PINNED =
  /(cargo install --locked \S+@\d+\.\d+\.\d+|pipx run --spec \S+==\d+\.\d+(\.\d+)?\b|--require-hashes)/

const installs = (steps: Step[]): string[] => steps.flatMap(({ run }) => run?.match(INSTALLS) ?? [])
const artifacts = (steps: Step[]): unknown[] =>
  steps
    .filter(({ uses }) => /\/(up|down)load-artifact@/.test(uses ?? ''))
    .map((step) => step.with?.name)

test('workflows install tools by an exact version only', () => {
  const all = workflows.flatMap(({ jobs }) => jobs.flatMap(([, { steps }]) => installs(steps)))
  expect(all.length).toBeGreaterThan(1)
  expect(all.filter((command) => !PINNED.test(command))).toEqual([])
})

test('no tool is installed in a job that has the tarballs', () => {
  const { jobs } = workflows.find(({ name }) => name === 'release.yml')!
  const withTarballs = jobs.filter(([, { steps }]) => artifacts(steps).includes('packages'))
  expect(withTarballs.map(([name]) => name)).toEqual([
    'pack',
    'test',
    'test-in-containers',
    'publish',
  ])
  for (const [name, { steps }] of withTarballs) expect([name, installs(steps)]).toEqual([name, []])
})
