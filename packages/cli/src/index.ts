// The front door of `cli`: what its exit codes mean, for whoever runs the command from a program.
export { exitCodes } from './exit-codes.ts'
