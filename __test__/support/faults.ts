import { expect } from 'vitest'

/** The error that the addon rejects with. */
export interface Fault extends Error {
  name: 'ApiKeyError'
  code: string
  status: number
  retryAfterMs?: number
  keyId?: string
  issues?: { path: string; message: string }[]
}

/**
 * The fault that `call` rejects with. An async function that throws synchronously, that answers
 * something else than a promise, or that succeeds, fails the test.
 */
export async function faultOf(call: () => unknown): Promise<Fault> {
  let pending: unknown
  try {
    pending = call()
  } catch (thrown) {
    throw new Error('threw synchronously', { cause: thrown })
  }
  expect(pending).toBeInstanceOf(Promise)
  const outcome = await (pending as Promise<unknown>).then(
    (value) => ({ value }),
    (fault: Fault) => ({ fault }),
  )
  if (!('fault' in outcome)) {
    throw new Error(`expected a rejection, got ${JSON.stringify(outcome.value)}`)
  }
  const { fault } = outcome
  expect(fault).toBeInstanceOf(Error)
  expect(fault.name).toBe('ApiKeyError')
  expect(fault.message).not.toBe('')
  return fault
}

/** The sorted paths of the fields that an INVALID_INPUT names. */
export async function invalidFields(call: () => unknown): Promise<string[]> {
  const fault = await faultOf(call)
  expect(fault).toMatchObject({ code: 'INVALID_INPUT', status: 400 })
  const issues = fault.issues ?? []
  expect(issues.length).toBeGreaterThan(0)
  for (const issue of issues) {
    expect(issue).toEqual({ path: expect.any(String), message: expect.stringMatching(/\S/) })
  }
  return issues.map((issue) => issue.path).sort()
}

/** The fault that a synchronous function throws. */
export function thrownBy(call: () => unknown): Fault {
  try {
    call()
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(Error)
    expect((thrown as Fault).name).toBe('ApiKeyError')
    return thrown as Fault
  }
  throw new Error('expected an exception')
}
