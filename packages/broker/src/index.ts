// The front door of `broker`.
export {}
