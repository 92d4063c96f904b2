'use strict'

// The built files. Their names are known, so no path of a request ever reaches the file system.

const fs = require('node:fs')
const path = require('node:path')
const { promisify } = require('node:util')
const zlib = require('node:zlib')
const { NO_STORE } = require('../guard/answers.js')
const { failure } = require('../next/responses.js')

// Written out in full, so that tools which collect the files of a deployment find the folder.
const FOLDER = path.join(__dirname, 'files')
const ASSETS = path.join(__dirname, 'files', 'assets')

const TYPES = {
  __proto__: null,
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  png: 'image/png',
  svg: 'image/svg+xml',
  webp: 'image/webp',
  woff2: 'font/woff2',
}
const COMPRESSED = ['css', 'html', 'js', 'json', 'svg']

/** The best one first. Each file is compressed once in a process, when it is first asked for. */
const encodings = [
  ['br', promisify(zlib.brotliCompress)],
  ['gzip', promisify(zlib.gzip)],
]

let index
let assets

/** The page, which is the same one for all addresses. */
exports.page = (base) => {
  index ??= read(path.join(FOLDER, 'index.html'))?.toString()
  if (index === undefined) return notBuilt()
  const page = index.replace(/<base href="[^"]*"/, () => `<base href="${escaped(base)}"`)
  return new Response(page, { headers: { 'Content-Type': TYPES.html, ...NO_STORE } })
}

/** A file below `assets/`. Its name has a hash of what is in it, so it never changes. */
exports.asset = async (request, name) => {
  assets ??= listed()
  const asset = assets.get(name)
  if (!asset) return failure({ status: 404, code: 'NOT_FOUND', message: 'File not found' })
  const { body, encoding } = await inFormFor(request, asset)
  const headers = {
    'Content-Type': asset.type,
    'Cache-Control': 'public, max-age=31536000, immutable',
    ...(asset.isCompressed && { Vary: 'Accept-Encoding' }),
    ...(encoding && { 'Content-Encoding': encoding }),
  }
  return new Response(body, { headers })
}

function listed() {
  const names = fs.existsSync(ASSETS) ? fs.readdirSync(ASSETS) : []
  return new Map(
    names.map((name) => {
      const extension = path.extname(name).slice(1)
      const type = TYPES[extension] ?? 'application/octet-stream'
      return [name, { name, type, isCompressed: COMPRESSED.includes(extension), forms: new Map() }]
    }),
  )
}

async function inFormFor(request, asset) {
  asset.plain ??= kept(fs.promises.readFile(path.join(ASSETS, asset.name)), () => {
    asset.plain = undefined
  })
  const [encoding, compress] = encodingFor(request, asset) ?? []
  if (!encoding) return { body: await asset.plain }
  if (!asset.forms.has(encoding)) {
    const form = kept(asset.plain.then(compress), () => asset.forms.delete(encoding))
    asset.forms.set(encoding, form)
  }
  return { body: await asset.forms.get(encoding), encoding }
}

/** The first encoding that the client accepts; `undefined` if the file is to be sent as it is. */
function encodingFor(request, { isCompressed }) {
  if (!isCompressed || isOfNext(request)) return undefined
  const accepted = request.headers.get('accept-encoding') ?? ''
  return encodings.find(([name]) =>
    new RegExp(`\\b${name}\\b(?!\\s*;\\s*q=0(\\.0*)?\\s*(,|$))`).test(accepted),
  )
}

/**
 * Next.js 15.5 and 16 drop the `Content-Encoding` of a route's response, so a browser would take the
 * compressed file for the plain one. Next.js compresses responses itself.
 */
const isOfNext = (request) => 'nextUrl' in request || process.env.NEXT_RUNTIME !== undefined

/** What is kept for the next request, unless it fails: a file may be readable a moment later. */
function kept(promise, forget) {
  promise.catch(forget)
  return promise
}

function read(file) {
  return fs.existsSync(file) ? fs.readFileSync(file) : undefined
}

const notBuilt = () =>
  new Response('The files of the console are missing: run npm run build:console\n', { status: 500 })

const escaped = (text) => text.replace(/[&"'<>]/g, (character) => `&#${character.charCodeAt(0)};`)
