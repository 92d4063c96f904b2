'use strict'

// `@sophra/api-keys/next`: route handlers on the Web's `Request` and `Response`. They import nothing from Next.js, so they work
// in any server that uses these types.

exports.withApiKey = require('./lib/next/api-key.js').withApiKey
exports.withAdminAuth = require('./lib/next/admin.js').withAdminAuth
exports.apiKeyRoutes = require('./lib/next/routes.js').apiKeyRoutes
exports.revocationRoutes = require('./lib/next/revocation-routes.js').revocationRoutes
exports.presentedKeyRoutes = require('./lib/next/presented-key-routes.js').presentedKeyRoutes
exports.jwksRoutes = require('./lib/next/token-routes.js').jwksRoutes
exports.revokedKeysRoutes = require('./lib/next/token-routes.js').revokedKeysRoutes
exports.leakRoutes = require('./lib/next/leak-routes.js').leakRoutes
exports.clientKeyRoutes = require('./lib/next/client-key-routes.js').clientKeyRoutes
exports.clientRoutes = require('./lib/next/client-routes.js').clientRoutes
exports.roleRoutes = require('./lib/next/role-routes.js').roleRoutes
exports.quotaRoutes = require('./lib/next/quota-routes.js').quotaRoutes
exports.usageRoutes = require('./lib/next/usage-routes.js').usageRoutes
exports.usageExportRoutes = require('./lib/next/usage-routes.js').usageExportRoutes
exports.adminTokenRoutes = require('./lib/next/admin-token-routes.js').adminTokenRoutes
exports.webhookRoutes = require('./lib/next/webhook-routes.js').webhookRoutes
exports.deliveryRoutes = require('./lib/next/webhook-routes.js').deliveryRoutes
exports.clientIp = require('./lib/next/view.js').clientIp
