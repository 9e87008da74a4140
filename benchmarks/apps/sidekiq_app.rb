# Sidekiq's workers and producer: `sidekiq -r ./sidekiq_app.rb`, or an action and its numbers, as benchmarks/producer.py tells.
require 'sidekiq'
require 'sidekiq/api'

server = { url: ENV.fetch('REDIS_URL') }
Sidekiq.configure_server { |config| config.redis = server }
Sidekiq.configure_client { |config| config.redis = server }
Sidekiq.logger.level = Logger::WARN

BATCH = 1000 # jobs in one push_bulk, Sidekiq's own limit
RATE = 50 # jobs a second, as in stamps.py

# CLOCK_MONOTONIC, as in stamps.py
def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

class Noop
  include Sidekiq::Worker
  def perform(payload = '') = nil
end

class Stamp
  include Sidekiq::Worker
  def perform(sent)
    waited = now - sent
    File.write(ENV.fetch('BENCH_STAMPS'), format("%.6f\n", waited), mode: 'a')
  end
end

def one_by_one(count)
  count.times { Noop.perform_async }
end

def bulk(count, size)
  args = size.zero? ? [] : ['x' * size]
  0.step(count - 1, BATCH) { |start| Noop.perform_bulk([args] * [BATCH, count - start].min) }
end

def stamps(count)
  began = now
  count.times do |n|
    sleep([0, began + n.fdiv(RATE) - now].max)
    Stamp.perform_async(now)
  end
end

# There are no results: the count of what was processed must do.
def read(count)
  processed = Sidekiq::Stats.new.processed
  raise "#{processed} jobs were processed, not #{count}" if processed < count
end

if $PROGRAM_NAME == __FILE__
  action, *numbers = ARGV
  Sidekiq.redis(&:ping)
  began = now
  send(action, *numbers.map(&:to_i))
  puts now - began
end
