/** Rounds and their statistics. */

/**
 * Takes one sample of each row in turn, round by round, so that anything that slows the machine for a while affects all rows. The
 * first round only warms up. Returns the samples of each row.
 */
export async function interleave(rounds, rows, sample) {
  for (const row of rows) await sample(row)
  const samples = new Map(rows.map((row) => [row, []]))
  for (let round = 0; round < rounds; round += 1) {
    for (const row of rows) samples.get(row).push(await sample(row))
  }
  return samples
}

export function quantile(values, fraction) {
  const sorted = [...values].sort((a, b) => a - b)
  const position = (sorted.length - 1) * fraction
  const [below, above] = [sorted[Math.floor(position)], sorted[Math.ceil(position)]]
  return below + (above - below) * (position % 1)
}

export const median = (values) => quantile(values, 0.5)

/** Combines the two samples of each round. */
export function paired(samples, others, combine) {
  return samples.map((sample, round) => combine(sample, others[round]))
}
