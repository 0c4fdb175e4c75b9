export {
  DecodeError,
  type Diagnostic,
  type DiagnosticCode,
  formatDiagnostic,
  formatPath,
  type PathComponent,
  printable,
  type Severity,
} from './bytes/diagnostic.ts';
export { hexOffset, type Range, rangeLength } from './bytes/range.ts';
export { type BlobLike, type ByteSource, blobSource, memorySource } from './bytes/source.ts';
export { parseLayoutOption } from './core/layout-option.ts';
export { type CoreOptions, type CorePlan, type CoreSegment, planCore } from './core/plan.ts';
export {
  type ArrayNode,
  childrenOf,
  type GapNode,
  type Layout,
  type LayoutNode,
  type LeafNode,
  type LeafValue,
  type StructNode,
  type WalkStep,
  walk,
} from './layout/node.ts';
export { layoutOf, layouts, type OpenedStream, type OpenOptions, openStream } from './layout/open.ts';
export { SchemaTables } from './layout/tables.ts';
export { describe } from './ops/describe.ts';
export { type StreamInfo, streamInfo } from './ops/info.ts';
export { compileSelectors, pruneLayout, type Selection, selectNodes } from './ops/select.ts';
export { analyzeMigrationDesc, analyzeMigrationState } from './render/analyze-migration-text.ts';
export { ndjsonLine } from './render/ndjson.ts';
export { parseSchema } from './schema/parse-schema.ts';
export * from './schema/qemu-schema.ts';
export type { DeviceSchema, FieldSchema, Schema, SchemaOrigin, StructSchema } from './schema/schema.ts';
export { serializeSchema } from './schema/serialize-schema.ts';
export type * from './stream/records.ts';
export type { Section, Stream } from './stream/scan.ts';
