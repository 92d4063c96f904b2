export const dynamic = 'force-dynamic'

/** The port is known only when the server runs. */
const setUp = () => `URL=http://localhost:${process.env.PORT ?? 3000}
ADMIN_TOKEN=…   # npm start prints the file that holds it`

const STEPS = [
  {
    title: 'Create a key. The response shows it only once.',
    curl: `curl -X POST "$URL/api/keys" -H "x-admin-token: $ADMIN_TOKEN" -H 'content-type: application/json' \\
  -d '{"name": "Search", "clientId": "acme", "rateLimit": 100}'
KEY=…           # the "key" in the response
ID=…            # the "id" in the response`,
  },
  {
    title: 'Use it.',
    curl: `curl "$URL/api/search?q=shoes" -H "x-api-key: $KEY"
curl "$URL/api/whoami" -H "Authorization: Bearer $KEY"`,
  },
  {
    title: 'List the keys.',
    curl: `curl "$URL/api/keys?limit=10" -H "x-admin-token: $ADMIN_TOKEN"`,
  },
  {
    title: 'Rotate it. The old key stays valid for an hour.',
    curl: `curl -X PUT "$URL/api/keys" -H "x-admin-token: $ADMIN_TOKEN" -H 'content-type: application/json' \\
  -d '{"id": "'$ID'", "regenerateKey": true, "gracePeriodSeconds": 3600}'`,
  },
  {
    title: 'Revoke it, then restore it.',
    curl: `curl -X POST "$URL/api/keys/revocation" -H "x-admin-token: $ADMIN_TOKEN" -H 'content-type: application/json' \\
  -d '{"id": "'$ID'", "reason": "unused"}'
curl -X DELETE "$URL/api/keys/revocation?id=$ID" -H "x-admin-token: $ADMIN_TOKEN"`,
  },
  {
    title: 'Refuse all keys of the client, then accept them again.',
    curl: `curl -X PUT "$URL/api/clients" -H "x-admin-token: $ADMIN_TOKEN" -H 'content-type: application/json' \\
  -d '{"clientId": "acme", "isActive": false}'
curl -X PUT "$URL/api/clients" -H "x-admin-token: $ADMIN_TOKEN" -H 'content-type: application/json' \\
  -d '{"clientId": "acme", "isActive": true}'`,
  },
  {
    title: 'Give the client a quota, grant it more, and see what is left.',
    curl: `curl -X PUT "$URL/api/clients" -H "x-admin-token: $ADMIN_TOKEN" -H 'content-type: application/json' \\
  -d '{"clientId": "acme", "quotas": [{"name": "default", "amount": 1000, "period": "month"}]}'
curl -X POST "$URL/api/quotas" -H "x-admin-token: $ADMIN_TOKEN" -H 'content-type: application/json' \\
  -d '{"clientId": "acme", "name": "default", "amount": 500}'
curl "$URL/api/quotas?clientId=acme&name=default" -H "x-admin-token: $ADMIN_TOKEN"`,
  },
  {
    title: 'See how often the client was used today, by route.',
    curl: `curl -G "$URL/api/usage" -H "x-admin-token: $ADMIN_TOKEN" -d clientId=acme -d bucket=hour -d groupBy=tag,outcome \\
  -d from=$(date -u +%F) -d to=$(date -u +%FT%TZ)`,
  },
  {
    title: 'Delete it.',
    curl: `curl -X DELETE "$URL/api/keys?id=$ID" -H "x-admin-token: $ADMIN_TOKEN"`,
  },
]

export default function Page() {
  return (
    <main>
      <h1>API keys</h1>
      <Shell>{setUp()}</Shell>
      {STEPS.map(({ title, curl }) => (
        <section key={title}>
          <h2 style={{ fontSize: '1rem' }}>{title}</h2>
          <Shell>{curl}</Shell>
        </section>
      ))}
    </main>
  )
}

function Shell({ children }: { children: string }) {
  return (
    <pre style={{ background: '#f4f4f5', borderRadius: 6, overflowX: 'auto', padding: '1rem' }}>
      {children}
    </pre>
  )
}
