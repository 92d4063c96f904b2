'use strict'

// The addon. `native.js` is generated and tries every place where a binary may be; where it finds none, the platform and
// what to do about it are named here.

const { ApiKeyError } = require('./errors.js')

try {
  module.exports = require('../native.js')
} catch (cause) {
  throw missing(cause)
}

function missing(cause) {
  const { name, version, optionalDependencies = {} } = require('../package.json')
  const platform = thisPlatform()
  const wanted = `${name}-${platform}`
  const message = `${name} has no binary for ${platform} (Node.js ${process.versions.node}). ${
    wanted in optionalDependencies
      ? whyNotLoaded(`${wanted}@${version}`, reasons(cause))
      : whyNotOffered(name, Object.keys(optionalDependencies))
  }`
  return Object.assign(new ApiKeyError({ message, code: 'CONFIGURATION', status: 500 }), { cause })
}

/** As the packages of the platforms are called. */
function thisPlatform() {
  const { platform, arch } = process
  const abi = { linux: isGlibc() ? '-gnu' : '-musl', win32: '-msvc' }[platform] ?? ''
  return `${platform}-${arch}${abi}`
}

function isGlibc() {
  // What a report says of the network takes long.
  process.report.excludeNetwork = true
  return process.report.getReport().header.glibcVersionRuntime !== undefined
}

function whyNotLoaded(wanted, reasons) {
  const foreign = reasons.find((reason) => !/^Cannot find module/.test(reason))
  if (foreign) return `${wanted} is installed, but does not load: ${foreign}`
  return (
    `${wanted} is not installed: npm leaves it out with --omit=optional, and when node_modules or package-lock.json ` +
    `comes from another platform. Remove both and install again where the app runs, or run: npm install ${wanted}`
  )
}

function whyNotOffered(name, offered) {
  if (offered.length === 0) return 'This is a checkout: build it with `npm ci && npm run build`.'
  const platforms = offered.map((wanted) => wanted.slice(name.length + 1)).join(', ')
  return `There are binaries for ${platforms}. On others, build it from source with Rust: see CONTRIBUTING.md of the repository.`
}

/** The loader chains what it has tried, the last one first. */
function reasons(error) {
  const chain = []
  for (let at = error?.cause; at; at = at.cause) chain.push(String(at.message).split('\n')[0])
  return chain
}
