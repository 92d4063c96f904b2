/**
 * The console for administrators, served from this package by one catch-all route.
 *
 * @module @sophra/api-keys/console
 */

import type { AdminOptions, RouteHandler } from '../next.js'

/** The handlers of the console. */
export interface ConsoleRoutes {
  /** The pages, their files and their data. */
  GET: RouteHandler
  /** Changes, as are the methods below. Each asks for the permission that the same change over HTTP needs. */
  POST: RouteHandler
  PUT: RouteHandler
  PATCH: RouteHandler
  DELETE: RouteHandler
}

/** The options of `consoleRoutes`. */
export interface ConsoleOptions extends Pick<AdminOptions, 'authorize'> {
  /**
   * Origins, such as `https://admin.example.com`, from which changes are accepted beside that of the console itself: for a proxy
   * that does not pass on the host that the browser has asked for.
   * @default none
   */
  origins?: readonly string[]
}

/**
 * Makes the route handlers of the console, for a file such as `app/admin/[[...path]]/route.ts`. Administrators sign in with an admin
 * token, or `authorize` tells who they are. What a user may not do the console does not offer, and the server refuses it.
 *
 * @example
 * ```ts
 * export const { GET, POST, PUT, PATCH, DELETE } = consoleRoutes()
 * ```
 */
export declare function consoleRoutes(options?: ConsoleOptions): ConsoleRoutes
