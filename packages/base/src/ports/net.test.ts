// How addresses are shown, and what a NetError carries.
import { expect, it } from 'vitest'
import { formatEndpoint, NetError } from './net.ts'

it('shows addresses as one writes them', () => {
  expect(formatEndpoint({ host: '127.0.0.1', port: 9092 })).toBe('127.0.0.1:9092')
  expect(formatEndpoint({ host: '::1', port: 9092 })).toBe('[::1]:9092')
  expect(formatEndpoint({ path: '/run/a.sock' })).toBe('/run/a.sock')
})

it('a NetError has its code and keeps its cause', () => {
  const cause = new Error('ECONNREFUSED')
  expect(new NetError('refused', 'nobody listens', { cause })).toMatchObject({ name: 'NetError', code: 'refused', cause })
})
