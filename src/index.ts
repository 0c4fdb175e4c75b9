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
export { type FileOffsets, fileOffsets } from './bytes/file-offsets.ts';
export { GrowingSource } from './bytes/growing-source.ts';
export { hexOffset, type Range, rangeLength } from './bytes/range.ts';
export { sliceSource } from './bytes/slice.ts';
export { SortedRanges } from './bytes/sorted-ranges.ts';
export {
  type BlobLike,
  type ByteSource,
  blobSource,
  changedError,
  type FinishedSource,
  finished,
  locate,
  memorySource,
  type Place,
} from './bytes/source.ts';

export { type AbortSignalLike, type Watch, watchedSource } from './bytes/watched-source.ts';
export { type CaptureKnowledge, knowledgeOfCapture } from './check/capture.ts';
export { checkStream } from './check/check.ts';
export {
  type CapabilityState,
  Destination,
  type DestinationDevice,
  type DestinationFacts,
  type DestinationKnowledge,
  type DestinationRamBlock,
  type OwnSection,
  type VirtioOffer,
} from './check/destination.ts';
export { factsOfProfile } from './check/facts.ts';
export { type CheckReport, countFindings, type Finding, type Verdict } from './check/finding.ts';
export { checkHeader } from './check/header.ts';
export {
  blockerId,
  type KnownBlockers,
  markKnown,
  parseKnown,
  serializeKnown,
} from './check/known-blockers.ts';
export {
  bestDestination,
  bestFirst,
  checkDestinations,
  type NamedDestination,
} from './check/preflight.ts';
export * from './check/profile.ts';
export { type RedactedCapture, redactCapture } from './check/redact.ts';
export {
  type LoadRefusal,
  type Roundtrip,
  type RoundtripState,
  type RoundtripStateName,
  roundtripStates,
} from './check/roundtrip-result.ts';
export { type FindingSeverity, type RuleCode, rules } from './check/rules.ts';
export {
  type Baseline,
  compareToBaseline,
  findingId,
  parseBaseline,
  serializeBaseline,
} from './compat/baseline.ts';
export {
  type CompatMatrix,
  compareMatrix,
  type MatrixPair,
  type PairCounts,
} from './compat/compare-matrix.ts';
export {
  type CompatDevice,
  type CompatFinding,
  type CompatOptions,
  type CompatReport,
  compareSides,
} from './compat/compat.ts';
export type { Direction } from './compat/direction.ts';
export type { MachineCounts, MachineSummary } from './compat/machines.ts';
export { type CompatRank, type CompatRule, compatRanks, compatRules } from './compat/rules.ts';
export type { RootVmsd, Side, SideFacts } from './compat/side.ts';
export { sideOfDump } from './compat/side-of-dump.ts';
export { sideOfSchema } from './compat/side-of-schema.ts';
export { testConditions } from './compat/test-text.ts';
export { type OutlineLine, type OutlinePair, vmsdOutlines } from './compat/vmsd-outline.ts';
export type { WireFinding } from './compat/wire-finding.ts';
export type {
  CompressionFormat,
  Container,
  ContainerContent,
  ContainerEnvironment,
  ContainerOptions,
  Decompressed,
  OwnedSource,
} from './containers/container.ts';
export { type ContainerLayer, type UnwrapOptions, type Unwrapped, unwrap } from './containers/open.ts';
export { listSnapshots, qcow2 } from './containers/qcow2.ts';
export type { Qcow2Snapshot, Qcow2SnapshotTable } from './containers/qcow2-snapshots.ts';
export type { LoadSegment } from './core/elf-core.ts';
export { parseLayoutOption } from './core/layout-option.ts';
export type { Note } from './core/notes.ts';
export type { Mapping } from './core/physical-map.ts';
export {
  type MappedPart,
  type PhysicalBytes,
  PhysicalMemory,
  type PhysicalRange,
} from './core/physical-memory.ts';
export { type CoreOptions, type CorePlan, type CoreSegment, planCore } from './core/plan.ts';
export type { CoreFormat } from './core/registers/architecture.ts';
export type { GuestNote } from './core/vmcoreinfo.ts';
export { type ApplyOptions, applyEdits, type EditedStream } from './edit/apply-edits.ts';
export { type Edit, type EditOptions, type EditPlan, planEdits } from './edit/edit.ts';
export type { EditedNode, KeptNode, MadeArray, MadeLeaf, MadeStruct } from './edit/edited-node.ts';
export type { InsertedSection, Patch, StreamEdits, VmdescMode } from './edit/edited-stream.ts';
export { planEncode, planManifest } from './edit/encode.ts';
export { checkDeviceState, encodeDeviceState, type WrittenDeviceState } from './edit/encode-device-state.ts';
export type { WrittenValue } from './edit/leaf-value.ts';
export {
  type DecodedArray,
  type DecodedLeaf,
  type DecodedNode,
  type DecodedSection,
  type DecodedStruct,
  type Manifest,
  type ManifestRecord,
  type ManifestVmdesc,
  parseDecodedSection,
  parseManifest,
} from './edit/read-decoded.ts';
export { parseDecodedLines } from './edit/read-ndjson.ts';
export type {
  ArithmeticOperator,
  BinaryOperator,
  Comparison,
  Constant,
  Expression,
  Load,
  UnknownReason,
} from './expressions/expression.ts';
export {
  ALLOWED_CLASSES,
  type FixChange,
  type FixClass,
  type LostField,
  type RenamedField,
} from './fix/change.ts';
export { type FixOptions, type FixResult, fixStream } from './fix/fix.ts';
export { type BitField, choice, count, flag, flags } from './infos/bits.ts';
export { FieldReader, type Meaning } from './infos/field-reader.ts';
export type {
  Info,
  InfoContext,
  InfoLength,
  InfoMemory,
  Infos,
} from './infos/info.ts';
export { builtInInfos, withInfos } from './infos/infos.ts';
export {
  bytes,
  choose,
  type InfoReader,
  integer,
  type ObjectPlace,
  peek,
  type ReaderAnswer,
  type ReaderArguments,
  type ReaderRequest,
  type ReaderSteps,
  type Remaining,
  remaining,
  scalar,
  struct,
  type UnknownOption,
} from './infos/reader.ts';
export { childrenOf, elementAt, type WalkStep, walk } from './layout/children.ts';
export type {
  ArrayNode,
  Choice,
  GapNode,
  Layout,
  LayoutNode,
  LeafNode,
  LeafValue,
  NodeBase,
  NodePlace,
  Shape,
  ShapeMember,
  StructNode,
  UniformElements,
} from './layout/node.ts';
export {
  memoryOf,
  type OpenedStream,
  type OpenOptions,
  type QueueRings,
  type RingsUnread,
  type Sender,
} from './layout/open.ts';
export type { SectionBytes } from './layout/section-bytes.ts';
export { SchemaTables } from './layout/tables.ts';
export type { ObjectId } from './layout/walk/shadow.ts';
export {
  type BlockRange,
  GuestMemory,
  type GuestMemoryOptions,
  type MemoryBytes,
  type MemoryRange,
  type MemoryState,
} from './memory/guest-memory.ts';
export type { InflatedPayloads, Inflater, PayloadFormat } from './memory/inflater.ts';
export type { MemoryVisitor } from './memory/memory-visitor.ts';
export { hashPages, PageHashes, type PagePair } from './memory/page-hashes.ts';
export { type IndexedBlock, PageIndex } from './memory/page-index.ts';
export { type MemoryOptions, PageIndexBuilder } from './memory/page-index-builder.ts';
export type { RunStore } from './memory/run-store.ts';
export { memorySpool, type OpenSpool, type Spool } from './memory/spool.ts';
export type { XbzrleDeltas } from './memory/xbzrle-deltas.ts';
export { type AlignedChild, alignChildren } from './ops/align.ts';
export { conversionProblem } from './ops/conversion-problem.ts';
export { type Conversion, type ConvertOptions, convertStream, type WriteNext } from './ops/convert.ts';
export { type Description, describe } from './ops/describe.ts';
export { type DiffOptions, diffStreams } from './ops/diff.ts';
export type { DiffFilter, DiffFilterOptions } from './ops/diff-filter.ts';
export {
  type Change,
  type ChangeKind,
  diffLayouts,
  type LayoutDiff,
  type LayoutDiffOptions,
  type OpaquePair,
} from './ops/diff-layouts.ts';
export type { BlockPagesDiff, PageRange, RamBlockDiff, RamDiff } from './ops/diff-ram.ts';
export type {
  CommandChange,
  DiffedStream,
  SectionDiff,
  SectionName,
  SectionSide,
  StreamDiff,
} from './ops/diff-result.ts';
export { type Explained, type Explanation, type ExplanationKind, explain } from './ops/explain.ts';
export { type FoundStream, findStreams } from './ops/find-streams.ts';
export {
  type CommandInfo,
  type ContainedStream,
  type InfoOptions,
  type SchemaInfo,
  type SectionInfo,
  type Share,
  type StreamInfo,
  streamInfo,
} from './ops/info.ts';
export type { PageSize } from './ops/page-size.ts';
export {
  type Elsewhere,
  type HotRange,
  type RamBlockReport,
  type RamReport,
  type RamReportOptions,
  type RoundReport,
  ramReport,
  type TimesReport,
} from './ops/ram-report.ts';
export type { ChangedRange } from './ops/range-list.ts';
export {
  diffRoundtrip,
  type RoundtripDiff,
  type RoundtripDiffOptions,
  type RoundtripPart,
  type RoundtripPartKind,
  type SavedState,
} from './ops/roundtrip.ts';
export { type SampledField, sampleFields } from './ops/sample-fields.ts';
export { findInSchema, type SchemaMatch } from './ops/schema-find.ts';
export { type LearnedSchema, learnSchema } from './ops/schema-learn.ts';
export { listVmsds, type VmsdSummary } from './ops/schema-list.ts';
export {
  type BinaryAddress,
  type ConditionOf,
  type CountDescription,
  type CounterDescription,
  describeVmsds,
  type FieldDescription,
  type SubsectionDescription,
  type VmsdDescription,
} from './ops/schema-show.ts';
export { compileSelectors, pruneLayout, type Selection, selectNodes } from './ops/select.ts';
export {
  type VolatileField,
  type VolatileReason,
  volatileFields,
  volatileTypes,
} from './ops/volatile-fields.ts';
export {
  type BytePlace,
  byteAt,
  type EnclosingVmsd,
  fieldsOf,
  PageFinder,
  type PlacedField,
  type PlacedPage,
} from './ops/where.ts';
export { withVmdesc } from './ops/with-vmdesc.ts';
export type { VmdescForm } from './ops/write-vmdesc.ts';
export type { BlockDevice, BlockSummary } from './ram/block.ts';
export type { ChannelSummary } from './ram/channels.ts';
export type { DirtyBitmap, DirtyBitmapSummary } from './ram/dirty-bitmap.ts';
export type { MissingPages } from './ram/discarded-pages.ts';
export type { HtabSummary } from './ram/htab.ts';
export type { IterativeScanner, IterativeSummary } from './ram/iterative.ts';
export type { DeviceStateCount, MultifdChannelSummary } from './ram/multifd/channel.ts';
export type { CompressedPacket, CompressedPackets } from './ram/multifd/compressed-packets.ts';
export type { MultifdEncoding } from './ram/multifd/packet.ts';
export type { LinkDelta, PageRuns } from './ram/page-runs.ts';
export type { PageKind, PageSink, PageSource } from './ram/page-sink.ts';
export { type BlockUsage, PageUsage, type Round, type Usage } from './ram/page-usage.ts';
export type { PreemptChannelSummary } from './ram/preempt-channel.ts';
export type { PageCount, PageCounts, RamBlockSummary, RamSectionCount, RamSummary } from './ram/ram.ts';
export type { MappedRam, RamBlock } from './ram/ram-block.ts';
export type { S390SkeysSummary, StorageKeyRun } from './ram/s390-skeys.ts';
export type { S390StattribSummary } from './ram/s390-stattrib.ts';
export type { SectionReader } from './ram/scanner.ts';
export type { BootpClient, SlirpSummary } from './ram/slirp.ts';
export type { TodClock, TodClockSummary } from './ram/todclock.ts';
export type { VfioSummary } from './ram/vfio.ts';
export { analyzeMigrationDesc, analyzeMigrationState } from './render/analyze-migration-text.ts';
export type { GitlabIssue } from './render/annotations.ts';
export { checkGithub, checkGitlab } from './render/check-annotations.ts';
export { checkJunit } from './render/check-junit.ts';
export { checkSarif } from './render/check-sarif.ts';
export { type CheckTextOptions, checkGrid, checkTable, checkText } from './render/check-text.ts';
export { changesOnWire, compatMail } from './render/compat-mail.ts';
export { matrixText } from './render/compat-matrix-text.ts';
export {
  type CompatReportOptions,
  compatGithub,
  compatGitlab,
  compatJunit,
  compatSarif,
} from './render/compat-reports.ts';
export { type CompatTextOptions, compatText } from './render/compat-text.ts';
export { coreSummary, coreText } from './render/core-text.ts';
export { decodedSectionJson } from './render/decoded-json.ts';
export { diffJson } from './render/diff-json.ts';
export { type DiffMailNames, diffMail } from './render/diff-mail.ts';
export { type DiffTextOptions, diffText } from './render/diff-text.ts';
export type { Drawing, Rectangle as DrawingRectangle, Text as DrawingText } from './render/drawing.ts';
export { type DumpTextOptions, dumpText } from './render/dump-text.ts';
export { explainText } from './render/explain-text.ts';
export { fixJson, fixText } from './render/fix-text.ts';
export { foundStreamText } from './render/found-stream-text.ts';
export { type InfoTextOptions, infoText, type SectionOrder } from './render/info-text.ts';
export { toJson } from './render/json.ts';
export { layoutJson, ndjsonLine } from './render/ndjson.ts';
export { preflightText } from './render/preflight-text.ts';
export { drawRamMap } from './render/ram-map.ts';
export { ramText } from './render/ram-text.ts';
export { roundtripJson } from './render/roundtrip-json.ts';
export { roundtripMail } from './render/roundtrip-mail.ts';
export { roundtripText } from './render/roundtrip-text.ts';
export { builtinSchemaTable, matchTable, schemaFacts, vmsdTable, vmsdText } from './render/schema-text.ts';
export { snapshotData, snapshotsText } from './render/snapshots.ts';
export { plainStyle, type Style, type TextOptions } from './render/style.ts';
export { drawingSvg } from './render/svg.ts';
export { byteJson, fieldJson } from './render/where-json.ts';
export { byteText, fieldText } from './render/where-text.ts';
export {
  type DumpedDevice,
  type DumpedField,
  type DumpedVmsd,
  type DumpVmstate,
  isDumpVmstate,
  parseDumpVmstate,
} from './schema/dump-vmstate.ts';
export { parseSchema } from './schema/parse-schema.ts';
export * from './schema/qemu-schema.ts';
export { type MachineTables, parseQueryMachines } from './schema/query-machines.ts';
export type { DeviceSchema, FieldSchema, Schema, StructSchema } from './schema/schema.ts';
export { serializeSchema } from './schema/serialize-schema.ts';
export type {
  HostStruct,
  SchemaSymbols,
  SourceSymbol,
  StructMember,
  VmsdSymbol,
} from './schema/symbols.ts';
export type { JsonObject, JsonValue } from './schema/vmdesc.ts';
export type * from './stream/records.ts';
export type { SectionIdentity } from './stream/section-header.ts';
export type { Section, SectionScanner, Stream } from './stream/stream.ts';
export type { SchemaEntry, SchemaProvider } from './vm/schema-provider.ts';
export { openVm, type Vm, type VmOptions } from './vm/vm.ts';
export type {
  AppliedField,
  AppliedVmsd,
  CompiledCount,
  CompiledElement,
  CompiledExistence,
  CompiledField,
  CompiledMember,
  CompiledVmsd,
  ExistenceTest,
  Validation,
} from './vmsd/compiled.ts';
export type { ScalarType, ScalarValue } from './vmsd/scalars.ts';
