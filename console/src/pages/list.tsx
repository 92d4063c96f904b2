// Lists that are read page by page with the cursor in the address.

import { useEffect, useRef } from 'preact/hooks'
import { setQuery, place } from '../router.ts'
import { useStore } from '../store.ts'
import { Button } from '../ui/button.tsx'
import { Icon } from '../ui/icons.tsx'

/** Goes to the next page, and back as far as this visit has seen the pages before. */
export function CursorPager({ nextCursor, text }: { nextCursor: string | null; text: string }) {
  const { query } = useStore(place)
  const before = useRef<string[]>([])
  const cursor = query.get('cursor')
  useEffect(() => {
    if (!cursor) before.current = []
  }, [cursor])
  const next = () => {
    before.current.push(cursor ?? '')
    setQuery({ cursor: nextCursor })
  }
  if (!cursor && !nextCursor) return null
  return (
    <div class="pager">
      <span>{text}</span>
      <div class="actions">
        {cursor && (
          <Button
            small
            icon="left"
            onClick={() => setQuery({ cursor: before.current.pop() || null })}
          >
            {before.current.length > 0 ? 'Previous page' : 'First page'}
          </Button>
        )}
        <Button small disabled={!nextCursor} onClick={next}>
          Next page
          <Icon name="right" size={14} />
        </Button>
      </div>
    </div>
  )
}
