/** Installs the packages, and builds the addon and the example, wherever they are out of date. */
import { main } from './processes.mjs'
import { prepare } from './project.mjs'

main(prepare)
