// Icons, each a path on a grid of 16. They say nothing that the text beside them does not.

const paths = {
  overview: 'M2.5 13.5v-4M6.2 13.5v-11M9.8 13.5V7M13.5 13.5v-9',
  keys: 'M5.2 13.3a2.6 2.6 0 1 0 0-5.2 2.6 2.6 0 0 0 0 5.2ZM7.1 8.8l6-6M10.6 5.3l2 2',
  clients:
    'M6 7.5a2.4 2.4 0 1 0 0-4.8 2.4 2.4 0 0 0 0 4.8ZM1.8 13.3c.3-2.4 2-3.7 4.2-3.7s3.9 1.3 4.2 3.7M10.8 3a2.2 2.2 0 0 1 0 4.2M12 10c1.3.5 2.1 1.6 2.3 3.3',
  roles: 'M8 1.8l5 1.9v3.7c0 3.2-2 5.6-5 6.8-3-1.2-5-3.6-5-6.8V3.7l5-1.9ZM5.9 8l1.5 1.5 2.8-3',
  tokens: 'M2 4.5h12v7H2zM4.5 8h.01M7 8h4.5',
  webhooks:
    'M6 4.8a2 2 0 1 1 2.8 1.8l1.7 3M7.2 6.7 5.4 10M4.6 9.6a2 2 0 1 0 1.8 2.6h3.9M9.5 9.8a2 2 0 1 1 .6 3.1',
  audit: 'M3.5 2h9v12h-9zM5.8 5.3h4.4M5.8 8h4.4M5.8 10.7h2.6',
  plus: 'M8 3v10M3 8h10',
  search: 'M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.4 10.4l3.1 3.1',
  close: 'M4 4l8 8M12 4l-8 8',
  check: 'M3 8.5l3.2 3.2L13 4.8',
  copy: 'M5.5 5.5h7v8h-7zM3.5 10.5v-8h7',
  warning: 'M8 2.3l6.2 11H1.8L8 2.3ZM8 6.5v3.2M8 11.6v.01',
  menu: 'M2.5 4.5h11M2.5 8h11M2.5 11.5h11',
  left: 'M9.8 3.5 5.3 8l4.5 4.5',
  right: 'M6.2 3.5 10.7 8l-4.5 4.5',
  down: 'M3.5 6.2 8 10.7l4.5-4.5',
  download: 'M8 2.5v7.5M4.8 7 8 10.2 11.2 7M2.8 13.2h10.4',
  rotate: 'M13 5.5A5.5 5.5 0 0 0 3 6M3 2.8V6h3.2M3 10.5a5.5 5.5 0 0 0 10-.5M13 13.2V10H9.8',
  link: 'M6.7 9.3a2.6 2.6 0 0 0 3.7 0l2.2-2.2a2.6 2.6 0 0 0-3.7-3.7l-.9.9M9.3 6.7a2.6 2.6 0 0 0-3.7 0L3.4 8.9a2.6 2.6 0 0 0 3.7 3.7l.9-.9',
} as const

export type IconName = keyof typeof paths

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  )
}
