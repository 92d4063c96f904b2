// What pages read, kept for going back, and read again while somebody looks.

import { useCallback, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { Failed } from './api.ts'
import { left } from './router.ts'

interface Entry {
  data: unknown
  at: number
}

const MOST_ENTRIES = 60
const cache = new Map<string, Entry>()
/** The reading of each hook in use, by its key. */
const readers = new Set<{ key: string; read: () => void; stop: () => void }>()
/** What begins with one of these texts is not read now. */
let held: string[] = []

const isAmong = (key: string, beginnings: string[]) =>
  beginnings.some((beginning) => key.startsWith(beginning))

/** Forgets everything, when the session ends. */
export const forgetData = (): void => cache.clear()

/** Reads again what begins with one of these texts, after a change. */
export function changed(...beginnings: string[]): void {
  for (const key of [...cache.keys()]) if (isAmong(key, beginnings)) cache.delete(key)
  for (const { key, read } of [...readers]) if (isAmong(key, beginnings)) read()
}

/**
 * Deletes something and leaves its page. Meanwhile nothing that begins with one of these texts is asked for, and what was asked is
 * given up: the answer might be that there is no such thing. What is shown afterwards is read again.
 */
export async function deleting(beginnings: string[], work: () => Promise<void>): Promise<void> {
  held = beginnings
  for (const { key, stop } of readers) if (isAmong(key, beginnings)) stop()
  try {
    await work()
    await left()
  } finally {
    held = []
    changed(...beginnings)
  }
}

function keep(key: string, data: unknown): void {
  cache.delete(key)
  cache.set(key, { data, at: Date.now() })
  for (const oldest of cache.keys()) {
    if (cache.size <= MOST_ENTRIES) return
    cache.delete(oldest)
  }
}

export interface Loaded<T> {
  /** What was read last, maybe for another key while that of this one is on its way. */
  data: T | undefined
  error: Failed | undefined
  /** Whether it is being read for the first time, or for another key than before. */
  busy: boolean
  reload(): void
}

export interface LoadOptions {
  /** Milliseconds after which it is read again, while the page is visible. */
  poll?: number
  /** Whether to show the data of the key before until that of the new one is there. */
  keepsPrevious?: boolean
}

/** Reads what `load` answers, for each key anew. `null`: nothing. */
export function useData<T>(
  key: string | null,
  load: (signal: AbortSignal) => Promise<T>,
  { poll, keepsPrevious = false }: LoadOptions = {},
): Loaded<T> {
  const [state, setState] = useState<{ key: string | null; data?: T; error?: Failed }>(() => ({
    key,
    data: key === null ? undefined : (cache.get(key)?.data as T | undefined),
  }))
  const latest = useRef(load)
  latest.current = load
  const running = useRef<AbortController>(undefined)

  const read = useCallback(async () => {
    if (key === null || isAmong(key, held)) return
    running.current?.abort()
    const controller = new AbortController()
    running.current = controller
    try {
      const data = await latest.current(controller.signal)
      keep(key, data)
      if (!controller.signal.aborted) setState({ key, data })
    } catch (error) {
      if (controller.signal.aborted) return
      const failed = error instanceof Failed ? error : new Failed(0, { error: String(error) })
      setState((before) => ({
        key,
        data: before.key === key || keepsPrevious ? before.data : undefined,
        error: failed,
      }))
    }
  }, [key])

  // A layout effect ends with its page. Others end a frame later, and would read once more what the page showed.
  useLayoutEffect(() => {
    if (key === null) return
    const known = cache.get(key)
    if (known) setState({ key, data: known.data as T })
    void read()
    const reader = { key, read: () => void read(), stop: () => running.current?.abort() }
    readers.add(reader)
    return () => {
      readers.delete(reader)
      running.current?.abort()
    }
  }, [key, read])

  usePolling(key === null ? undefined : poll, read)

  const isCurrent = state.key === key
  const shown = isCurrent || keepsPrevious ? state.data : undefined
  return {
    data: shown ?? (key === null ? undefined : (cache.get(key)?.data as T | undefined)),
    error: isCurrent ? state.error : undefined,
    busy: key !== null && (!isCurrent || (state.data === undefined && state.error === undefined)),
    reload: () => void read(),
  }
}

/** Calls `read` at intervals while the page is visible, and when it becomes visible again. */
export function usePolling(interval: number | undefined, read: () => unknown): void {
  const latest = useRef(read)
  latest.current = read
  useLayoutEffect(() => {
    if (interval === undefined) return
    let last = Date.now()
    const tick = () => {
      if (document.visibilityState !== 'visible' || Date.now() - last < interval - 50) return
      last = Date.now()
      void latest.current()
    }
    const timer = setInterval(tick, interval)
    document.addEventListener('visibilitychange', tick)
    addEventListener('online', tick)
    return () => {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', tick)
      removeEventListener('online', tick)
    }
  }, [interval])
}
