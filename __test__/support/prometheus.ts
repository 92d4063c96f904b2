import { spawnSync } from 'node:child_process'

/** The samples of a text in the format of Prometheus, by their series. A line that is none fails the test. */
export function samples(text: string): Map<string, number> {
  const found = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# ')) continue
    const [, series, value] = /^([a-z_0-9]+(?:\{.*\})?) (\S+)$/.exec(line) ?? []
    if (series === undefined || !Number.isFinite(Number(value)))
      throw new Error(`Not a sample: ${line}`)
    if (found.has(series)) throw new Error(`Twice: ${series}`)
    found.set(series, Number(value))
  }
  return found
}

/** `promtool`, which Prometheus comes with: its version, or `undefined` where it is not on the PATH. */
export const promtoolVersion = (): string | undefined =>
  /promtool, version \S+/.exec(promtool(['--version']).output)?.[0]

export function promtool(args: string[], input = ''): { code: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' })
  return { code: status, output: `${stdout}${stderr}` }
}
