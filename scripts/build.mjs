/**
 * Builds the addon, `native.js` and `index.d.ts`. `npm run build` builds what is published. `npm run build:debug` takes less
 * time, and its addon is slower. Other arguments go to `napi build`.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { main, run } from './processes.mjs'

const napi = fileURLToPath(new URL('../node_modules/@napi-rs/cli/dist/cli.js', import.meta.url))
const cargo = fileURLToPath(new URL('cargo-addon', import.meta.url))
const options = {
  debug: { type: 'boolean' },
  'output-dir': { type: 'string', default: '.' },
}

main(async () => {
  const given = process.argv.slice(2)
  const { values } = parseArgs({ args: given, options, strict: false })
  const args = [
    'build',
    '--platform',
    '--no-const-enum',
    '--js',
    'native.js',
    '--dts',
    'index.d.ts',
  ]
  if (!values.debug) args.push('--release')
  args.push(...given.filter((argument) => argument !== '--debug'))
  await run(process.execPath, [napi, ...args], { env: environment() })
  removeBindingTarget(path.join(values['output-dir'], 'index.d.ts'))
})

/** Windows cannot run a shell script as a program: there, cargo is called directly, and the addon is larger. */
function environment() {
  return process.platform === 'win32' ? process.env : { ...process.env, CARGO: cargo }
}

/** Removes the declaration of a constant that the generated loader exports and the package does not. */
function removeBindingTarget(file) {
  const types = readFileSync(file, 'utf8')
  const rest = types.replace(
    /\/\*\*(?:(?!\*\/)[^])*\*\/\nexport declare const __napiBindingTarget.*\n\n/,
    '',
  )
  writeFileSync(file, rest)
}
