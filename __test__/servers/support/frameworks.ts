import { join } from 'node:path'
import { root } from '../../support/child.js'
import { express } from './express.js'
import { fastify } from './fastify.js'
import type { Framework } from './framework.js'
import { hono } from './hono.js'
import { koa } from './koa.js'
import { nest } from './nest.js'
import { node } from './node.js'

const older = (version: number): string => join(root, `__test__/servers/nest-${version}`)

/** All servers, each framework at its current major version and the one before, or two. */
export const frameworks: Framework[] = [
  express('express'),
  express('express4'),
  fastify('fastify', 'hook'),
  fastify('fastify', 'plugin'),
  fastify('fastify4', 'hook'),
  fastify('fastify4', 'plugin'),
  hono('hono'),
  hono('hono3'),
  koa('koa'),
  koa('koa2'),
  nest(root, 'express'),
  nest(root, 'fastify'),
  nest(older(11), 'express'),
  nest(older(11), 'fastify'),
  nest(older(10), 'express'),
  nest(older(10), 'fastify'),
  node,
]
