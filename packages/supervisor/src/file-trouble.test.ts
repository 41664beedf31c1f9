// Trouble with files in words.
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { describeFileTrouble } from './file-trouble.ts'

function errorOf(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('it worked')
}

it('is said in one sentence', () => {
  expect(describeFileTrouble(errorOf(() => readFileSync('/nodir/x')))).toBe('cannot open /nodir/x: no such file or directory')
  expect(describeFileTrouble(errorOf(() => readdirSync('/nodir')))).toBe('cannot read /nodir: no such file or directory')
  expect(describeFileTrouble(errorOf(() => mkdirSync('/dev/null/x')))).toBe(
    'cannot write /dev/null/x: a part of the path is not a directory',
  )
  const denied = Object.assign(new Error('EACCES'), { code: 'EACCES', syscall: 'rename', path: '/srv/x' })
  expect(describeFileTrouble(denied)).toBe('cannot write /srv/x: permission denied')
})

it('is not claimed of other errors', () => {
  expect(describeFileTrouble(new Error('a bug'))).toBeUndefined()
  expect(describeFileTrouble(Object.assign(new Error('a program'), { code: 'ENOENT' }))).toBeUndefined()
  expect(describeFileTrouble('text')).toBeUndefined()
})
