/** Milliseconds, to be printed: a test asserts what happened, and of times only that it did not hang. */
export function printTimes(what: string, times: number[]): void {
  const sorted = [...times].sort((a, b) => a - b)
  const at = (share: number): string =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!.toFixed(1)
  console.log(`${what}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms (${times.length})`)
}

export const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0)
