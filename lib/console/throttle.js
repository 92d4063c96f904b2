'use strict'

// So many wrong tries a minute in this process, whoever makes them. By the generic cell rate algorithm: one number each.

const MINUTE = 60_000

exports.throttle = (perMinute) => {
  const interval = MINUTE / perMinute
  let arrival = 0
  return {
    /** Milliseconds until another wrong try is told that it is wrong; 0 if it is now. */
    wait: (now = performance.now()) => Math.max(0, arrival + interval - now - MINUTE),
    count: (now = performance.now()) => {
      arrival = Math.max(arrival, now) + interval
    },
  }
}
