// The front door of `records`.
export {}
