'use strict'

/**
 * The end of an error message: `: did you mean "…"?` for a typo, otherwise the choices. The typed text is not repeated, since
 * it may be a secret.
 */
function suggestion(typed, choices) {
  const [nearest] = choices
    .map((name) => ({ name, distance: distance(typed, name) }))
    .filter(({ name, distance }) => distance <= Math.max(1, Math.floor(name.length / 3)))
    .sort((a, b) => a.distance - b.distance)
  if (nearest) return `: did you mean "${nearest.name}"?`
  return choices.length > 0 ? `. Choose from: ${choices.join(', ')}` : ''
}

/**
 * The number of characters to change, add, remove or swap with a neighbour to get from one text to the other
 * (Damerau–Levenshtein).
 */
function distance(a, b) {
  if (a.length > 40) return Infinity
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    rows[i] = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      rows[i][j] = Math.min(
        rows[i - 1][j] + 1,
        rows[i][j - 1] + 1,
        rows[i - 1][j - 1] + same,
        swapped ? rows[i - 2][j - 2] + 1 : Infinity,
      )
    }
  }
  return rows[a.length][b.length]
}

module.exports = { suggestion }
