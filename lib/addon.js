'use strict'

// Loads the native addon. `native.js` is generated and tries every place where a binary may be. If it finds none, the
// error made here names the platform and says what to do.

const { ApiKeyError } = require('./errors.js')

try {
  module.exports = require('../native.js')
} catch (cause) {
  throw noBinary(cause)
}

function noBinary(cause) {
  const { name, version, optionalDependencies = {} } = require('../package.json')
  const platform = currentPlatform()
  const binaryPackage = `${name}-${platform}`
  const message = `${name} has no binary for ${platform} (Node.js ${process.versions.node}). ${
    binaryPackage in optionalDependencies
      ? whyNotLoaded(`${binaryPackage}@${version}`, reasonsOf(cause))
      : whyNotOffered(name, Object.keys(optionalDependencies))
  }`
  return Object.assign(new ApiKeyError({ message, code: 'CONFIGURATION', status: 500 }), { cause })
}

/** The platform, as the names of the binary packages spell it. */
function currentPlatform() {
  const { platform, arch } = process
  const abi = { linux: isGlibc() ? '-gnu' : '-musl', win32: '-msvc' }[platform] ?? ''
  return `${platform}-${arch}${abi}`
}

function isGlibc() {
  // The network part of a report is slow to collect.
  process.report.excludeNetwork = true
  return process.report.getReport().header.glibcVersionRuntime !== undefined
}

function whyNotLoaded(binaryPackage, reasons) {
  const loadError = reasons.find((reason) => !/^Cannot find module/.test(reason))
  if (loadError) return `${binaryPackage} is installed, but does not load: ${loadError}`
  return (
    `${binaryPackage} is not installed: npm leaves it out with --omit=optional, and when node_modules or ` +
    `package-lock.json comes from another platform. Remove both and install again on the platform where the app runs, ` +
    `or run: npm install ${binaryPackage}`
  )
}

function whyNotOffered(name, binaryPackages) {
  if (binaryPackages.length === 0) {
    return 'This is a checkout of the repository: build the binary with `npm ci && npm run build`.'
  }
  const platforms = binaryPackages.map((one) => one.slice(name.length + 1)).join(', ')
  return `There are binaries for ${platforms}. On other platforms, build it from source with Rust: see CONTRIBUTING.md in the repository.`
}

/** The loader chains the errors of its attempts, the last one first. */
function reasonsOf(error) {
  const reasons = []
  for (let at = error?.cause; at; at = at.cause) reasons.push(String(at.message).split('\n')[0])
  return reasons
}
