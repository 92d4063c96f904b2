'use strict'

// Where in the console a request goes. The route may be anywhere in the app, and a proxy may hide a part of its path.

const PAGES =
  /^(keys|clients)(\/[^/]+)?$|^(roles|admin-tokens|webhooks|audit-log|sign-in|assets\/[^/]+)$/
const DATA =
  /^api\/(session|overview|usage|roles|quotas|admin-tokens|webhooks(\/deliveries)?|clients(\/ids)?|audit\/export|keys(\/[^/]+)?)$/

/**
 * The segments of the path behind the mount, and the address of the mount as a page of this request has to write it: relative, since
 * only the browser knows the whole path.
 */
exports.placeOf = async (request, context) => {
  const { pathname } = new URL(request.url)
  const segments = pathname.split('/').filter(Boolean)
  const start = segments.length - ((await depthIn(context)) ?? depthOf(segments))
  const behind = segments.slice(start).map(decoded)
  return { segments: behind, base: baseOf(pathname, segments, behind.length) }
}

/** How many segments the catch-all has matched, where a framework says so: Next.js does, from version 15 on in a promise. */
async function depthIn(context) {
  const params = await context?.params
  if (typeof params !== 'object' || params === null) return undefined
  const values = Object.values(params)
  return values.length === 0 ? 0 : values.find(Array.isArray)?.length
}

/** The same by the addresses that the console has: the longest of them that the path ends with. */
function depthOf(segments) {
  const start = segments.findIndex((_, at) => {
    const rest = segments.slice(at).join('/')
    return PAGES.test(rest) || DATA.test(rest)
  })
  return start < 0 ? 0 : segments.length - start
}

function baseOf(pathname, segments, depth) {
  const above = pathname.endsWith('/') ? depth : depth - 1
  if (above >= 0) return '../'.repeat(above) || './'
  return `./${segments.at(-1)}/`
}

/** A segment that cannot be decoded is the name of nothing. */
function decoded(segment) {
  try {
    return decodeURIComponent(segment)
  } catch {
    return '\0'
  }
}
