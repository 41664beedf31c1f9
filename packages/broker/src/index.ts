// The front door of `broker`.
export type { ApiName, KafkaRequest, KafkaResponse } from './kafka/apis.ts'
export { apis } from './kafka/apis.ts'
export type { KafkaErrorName } from './kafka/kafka-errors.ts'
export { kafkaErrorCode, kafkaErrorOfRecords, kafkaErrors } from './kafka/kafka-errors.ts'
