// What is to be read again after a change.

import { changed } from './data.ts'

export const keyChanged = (id: string): void =>
  changed(`key/${id}`, 'keys', 'audit', 'overview', 'client')

export const clientChanged = (): void => changed('client', 'quota/', 'audit', 'overview', 'key')
