import { useEffect, useRef, useState } from 'preact/hooks'
import { secretIn } from '../format.ts'

/** Milliseconds after the last stroke. */
const PAUSE = 250

/** What is typed, which settles after a pause. It follows a value that is changed elsewhere. */
export function useTyped(value: string, settle: (text: string) => void) {
  const [typed, setTyped] = useState(value)
  const sent = useRef(value)
  const latest = useRef(settle)
  latest.current = settle
  useEffect(() => {
    if (value === sent.current) return
    sent.current = value
    setTyped(value)
  }, [value])
  useEffect(() => {
    if (typed === sent.current || secretIn(typed)) return
    const timer = setTimeout(() => {
      sent.current = typed
      latest.current(typed)
    }, PAUSE)
    return () => clearTimeout(timer)
  }, [typed])
  return [typed, setTyped] as const
}
