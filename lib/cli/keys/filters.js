'use strict'

// The options that select keys, by the table that the whole package shares.

const { filters } = require('../../key-filters.js')
const { optionFor, valuesOf } = require('../fields.js')

module.exports = {
  filterOptions: Object.fromEntries(filters.map((filter) => [filter.option, optionFor(filter)])),
  /** The given filters as fields of a query. */
  filterOf: (given) => valuesOf(filters, given),
}
