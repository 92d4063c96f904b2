'use strict'

// `@sophra/api-keys/console`: the console for administrators, which one catch-all route serves from this package. It is made of the
// `Request` and `Response` of the Web, as the helpers in `next.js` are, so it works in any server that uses these types.

exports.consoleRoutes = require('./console/routes.js').consoleRoutes
