// BullMQ's processor and producer: `node bullmq_app.mjs work`, or an action and its numbers, as benchmarks/producer.py tells.
import { appendFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'

const { Queue, Worker } = createRequire(`${process.env.BENCH_PEER}/`)('bullmq')
const { hostname: host, port } = new URL(process.env.REDIS_URL)
const connection = { host, port: Number(port), maxRetriesPerRequest: null }
const CONCURRENCY = 50
const BATCH = 500 // jobs in one addBulk
const RATE = 50 // jobs a second, as in stamps.py
const now = () => Number(process.hrtime.bigint()) / 1e9 // CLOCK_MONOTONIC, as in stamps.py

function work() {
  const processor = async ({ name, data }) => {
    if (name === 'stamp') appendFileSync(process.env.BENCH_STAMPS, `${(now() - data.sent).toFixed(6)}\n`)
  }
  const worker = new Worker('bench', processor, { connection, concurrency: CONCURRENCY })
  worker.on('error', (error) => console.error(error))
  process.on('SIGTERM', () => worker.close().then(() => process.exit(0)))
}

const actions = (queue) => ({
  async one_by_one(count) {
    for (let n = 0; n < count; n++) await queue.add('noop', {})
  },
  async bulk(count, size) {
    const data = size ? { payload: 'x'.repeat(size) } : {}
    for (let start = 0; start < count; start += BATCH) {
      await queue.addBulk(Array.from({ length: Math.min(BATCH, count - start) }, () => ({ name: 'noop', data })))
    }
  },
  async stamps(count) {
    const began = now()
    for (let n = 0; n < count; n++) {
      await sleep(Math.max(0, (began + n / RATE - now()) * 1000))
      await queue.add('stamp', { sent: now() })
    }
  },
  async read(count) {
    const jobs = await queue.getCompleted(0, count - 1)
    if (jobs.length !== count || jobs.some((job) => !job.finishedOn)) throw new Error(`${jobs.length} jobs, not ${count}`)
  },
})

async function produce(action, numbers) {
  const queue = new Queue('bench', { connection })
  await queue.waitUntilReady()
  const act = actions(queue)[action]
  const began = now()
  await act(...numbers)
  console.log(now() - began)
  await queue.close()
}

const [action, ...numbers] = process.argv.slice(2)
if (action === 'work') work()
else await produce(action, numbers.map(Number))
