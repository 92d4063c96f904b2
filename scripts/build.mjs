/** Builds the addon as it is published, `native.js` and `index.d.ts`: `npm run build`. Arguments go to `napi build`. */
import { fileURLToPath } from 'node:url'
import { main, run } from './processes.mjs'

const napi = fileURLToPath(new URL('../node_modules/@napi-rs/cli/dist/cli.js', import.meta.url))
const cargo = fileURLToPath(new URL('cargo-addon', import.meta.url))

main(() => {
  const args = ['build', '--platform', '--release', '--no-const-enum']
  args.push('--js', 'native.js', '--dts', 'index.d.ts', ...process.argv.slice(2))
  // A shell script is no program to Windows: there cargo itself builds, and the addon is larger.
  const env = process.platform === 'win32' ? process.env : { ...process.env, CARGO: cargo }
  return run(process.execPath, [napi, ...args], { env })
})
