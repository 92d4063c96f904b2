import { execFileSync, spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'

/**
 * The account that the server runs as, if it cannot be our own. Postgres refuses to run as root: for root, it runs
 * as the owner of its data folder, or as `nobody`, which every system has.
 */
export function serverAccount(dataDir) {
  if (process.getuid?.() !== 0) return undefined
  const owner = dataDir && statSync(dataDir, { throwIfNoEntry: false })
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid }
  const id = (flag) => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

/** Whether an account can enter a folder or run a program. */
export function canEnter(account, target) {
  return !account || spawnSync('test', ['-x', target], { ...account, cwd: '/' }).status === 0
}
