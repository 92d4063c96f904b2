import { createRequire } from 'node:module'

type Native = Record<string, unknown>

const native = createRequire(import.meta.url)('../../native.js') as Native
const made: string[] = []

// Some functions are taken over when the package is loaded, so this file must be imported before it.
for (const [name, call] of Object.entries(native)) {
  if (typeof call !== 'function') continue
  native[name] = counted(name, call)
}

function counted(name: string, call: Function) {
  return (...args: unknown[]): unknown => {
    made.push(name)
    const answer: unknown = Reflect.apply(call, native, args)
    return name === 'warmPath' ? functionsCounted(answer as Native) : answer
  }
}

function functionsCounted(functions: Native): Native {
  const entries = Object.entries(functions).map(([name, value]) =>
    typeof value === 'function' ? [name, counted(name, value)] : [name, value],
  )
  return Object.fromEntries(entries) as Native
}

/** The names of the native functions that `action` calls, in order. */
export async function nativeCalls(action: () => Promise<unknown>): Promise<string[]> {
  made.length = 0
  await action()
  return [...made]
}
