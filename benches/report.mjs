/** Writes Markdown tables from seconds per call. */
import { median, paired, quantile } from './measure.mjs'

export function directTable(rows, samples) {
  const base = rows.find(({ letter }) => letter === 'b') ?? rows[0]
  const lines = rows.map((row) => {
    const own = samples.get(row)
    const middle = `${duration(quantile(own, 0.25))} – ${duration(quantile(own, 0.75))}`
    const ratio = median(paired(own, samples.get(base), (time, baseTime) => time / baseTime))
    return [`(${row.letter})`, row.title, duration(median(own)), middle, digits(ratio)]
  })
  const head = ['', 'One call after another', 'Median', 'Middle half', `This ÷ (${base.letter})`]
  const notes = [aboveConstant, aboveBare].map((note) => note(rows, samples))
  return [table(head, lines), ...notes].filter(Boolean).join('\n\n')
}

/** The cost of a verify beyond that of the call itself. */
function aboveConstant(rows, samples) {
  const [constant, verify] = ['a', 'b'].map((letter) => rows.find((row) => row.letter === letter))
  if (!constant || !verify) return undefined
  const above = paired(samples.get(verify), samples.get(constant), (time, call) => time - call)
  return `The first row of (b) takes ${duration(median(above))} more than (a).`
}

/** The cost of the guard of a route. */
function aboveBare(rows, samples) {
  const [bare, guarded] = rows.filter(({ letter }) => letter === 'k')
  if (!bare) return undefined
  const above = paired(samples.get(guarded), samples.get(bare), (time, other) => time - other)
  return `The second row of (k) takes ${duration(median(above))} more than the first.`
}

export function throughputTable(rows, samples, concurrency) {
  const base = samples.get(rows[0])
  const lines = rows.map((row) => {
    const own = samples.get(row)
    const ratio = median(paired(own, base, (time, baseTime) => time / baseTime))
    return [`(${row.letter})`, row.title, perSecond(median(own)), digits(ratio)]
  })
  const head = ['', `${concurrency} calls at a time`, 'Calls/s', `(${rows[0].letter}) ÷ this`]
  return table(head, lines)
}

/** The first row is one round trip. */
export function lineTable(rows, samples) {
  const lines = rows.map((row) => {
    const own = samples.get(row)
    const middle = `${duration(quantile(own, 0.25))} – ${duration(quantile(own, 0.75))}`
    return ['(j)', row.title, duration(median(own)), middle, digits(ratioOf(row, rows[0], samples))]
  })
  return table(['', 'Over a line of 10 ms', 'Median', 'Middle half', 'Round trips'], lines)
}

const ratioOf = (row, base, samples) =>
  median(paired(samples.get(row), samples.get(base), (time, baseTime) => time / baseTime))

/** What the rows are to reach beside each other, and what they have reached: for those who work on the package. */
export const aims = {
  cold: (rows, samples) => [
    ...compared(rows, samples, 'cold', 'select', 'a cold verify ÷ one SELECT', 'at most 2'),
    ...compared(rows, samples, 'cold', 'prepared', 'a cold verify ÷ one prepared SELECT'),
    ...compared(rows, samples, 'cold', 'peer', 'a cold verify ÷ better-auth', 'at most 0.125'),
  ],
  coldTogether: (rows, samples) => [
    ...compared(rows, samples, 'select', 'cold', 'cold verifies/s ÷ SELECTs/s', 'at least 1.5'),
    ...compared(rows, samples, 'prepared', 'cold', 'cold verifies/s ÷ prepared SELECTs/s'),
  ],
  guards: (servers, samples) =>
    servers.map(
      ([, verified, , guarded]) =>
        `Aim: the guard beside a bare verify, ${guarded.server}: ${duration(median(moreCpu(verified, guarded, samples)))} of CPU more (at most 3 µs)`,
    ),
  line: (rows, samples) =>
    [
      ['cold verify', 'at most 1.2'],
      ['first verify', 'at most 10'],
      ['first creation', 'at most 2'],
      ['creation', 'at most 2'],
    ].map(([role, aim]) => {
      const row = rows.find((row) => row.role === role)
      return `Aim: ${role} ÷ SELECT 1 over the line: ${digits(ratioOf(row, rows[0], samples))} (${aim})`
    }),
}

function compared(rows, samples, role, baseRole, what, aim) {
  const [row, base] = [role, baseRole].map((name) => rows.find((row) => row.role === name))
  if (!row || !base) return []
  return [`Aim: ${what}: ${digits(ratioOf(row, base, samples))}${aim ? ` (${aim})` : ''}`]
}

/** Rows come in pairs: a route, and the same route with the check. The last column is the difference, round by round. */
export function httpTable(rows, samples) {
  const lines = []
  for (let index = 0; index < rows.length; index += 2) {
    const pair = rows.slice(index, index + 2).map((row) => samples.get(row))
    const [clock, cpu] = ['clock', 'cpu'].map((of) =>
      pair.map((own) => own.map((seconds) => seconds[of])),
    )
    const ratios = paired(...clock, (bare, checked) => bare / checked)
    const [low, high] = [0.25, 0.75].map((fraction) => quantile(ratios, fraction).toFixed(3))
    const rates = clock.map((own) => perSecond(median(own)))
    const times = cpu.map((own) => duration(median(own))).join(' → ')
    const more = paired(...cpu, (bare, checked) => checked - bare)
    const ratio = [median(ratios).toFixed(3), `${low} – ${high}`]
    lines.push([
      `(${rows[index].letter})`,
      rows[index].server,
      ...rates,
      ...ratio,
      times,
      spread(more),
    ])
  }
  const rates = ['Bare, requests/s', 'Checked, requests/s', 'Ratio', 'Middle half']
  return table(['', 'HTTP', ...rates, 'CPU time per request', 'More for the check'], lines)
}

/** The rows of a framework: a route that is bare, behind a bare verify, behind one that adds headers, and behind the guard. */
export const byServer = (rows) =>
  rows.flatMap((_row, index) => (index % 4 === 0 ? [rows.slice(index, index + 4)] : []))

const moreCpu = (row, other, samples) =>
  paired(samples.get(other), samples.get(row), (more, less) => more.cpu - less.cpu)

export function serversTable(servers, samples) {
  const between = (row, other) => spread(moreCpu(row, other, samples))
  const lines = servers.map(([bare, verified, announced, guarded]) => {
    const time = duration(median(samples.get(bare).map(({ cpu }) => cpu)))
    const more = [between(bare, verified), between(verified, guarded), between(announced, guarded)]
    return ['(l)', bare.server, time, ...more]
  })
  const more = [
    'More for a bare verify',
    'More for the guard',
    'Than for a verify with its headers',
  ]
  return table(['', 'CPU time per request', 'Bare', ...more], lines)
}

/** The median, and the middle half in brackets. */
function spread(seconds) {
  const [least, most] = [0.25, 0.75].map((fraction) => duration(quantile(seconds, fraction)))
  return `${duration(median(seconds))} (${least} – ${most})`
}

function table(head, lines) {
  const rule = head.map((name, index) => (index < 2 ? '---' : '---:'))
  return [head, rule, ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function duration(seconds) {
  for (const [unit, name] of [
    [1e-3, 'ms'],
    [1e-6, 'µs'],
  ]) {
    if (Math.abs(seconds) >= unit) return `${digits(seconds / unit)} ${name}`
  }
  return `${digits(seconds / 1e-9)} ns`
}

const perSecond = (seconds) => digits(1 / seconds)

/** A number with three significant digits. */
function digits(number) {
  return Number(number.toPrecision(3)).toLocaleString('en', { maximumSignificantDigits: 3 })
}
