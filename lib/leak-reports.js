'use strict'

/** The reports that one call takes. */
const PART = 1_000

/** The answers to any number of reports, in their order. `reportLeakedKeys` gets as many as it takes, one part after the other. */
exports.reportAll = async (reportLeakedKeys, reports, options) => {
  const answers = []
  for (let at = 0; at < reports.length; at += PART)
    answers.push(...(await reportLeakedKeys(reports.slice(at, at + PART), options)))
  return answers
}
