// The front door of `sim`: whole services on simulated ports, with faults from a seed.

export { AgreementInvariants } from './agreement-checks.ts'
export { type AgreementKind, type AgreementRunReport, runAgreementSeed } from './agreement-run.ts'
export { type BrokersRunOptions, type BrokersRunReport, runBrokersSeed } from './brokers/brokers-run.ts'
export { clientFaultKinds, type FaultKind, faultKinds } from './fault-plan.ts'
export { type GossipRunReport, runGossipSeed } from './gossip-run.ts'
export { disagreements, ViewInvariants } from './membership-checks.ts'
export { SeedFailure } from './seed-failure.ts'
export { SimCluster, type SimClusterOptions } from './sim-cluster.ts'
