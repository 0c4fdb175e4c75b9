import { DecodeError } from '../bytes/diagnostic.ts';
import type { Range } from '../bytes/range.ts';
import type { Window } from '../bytes/window.ts';
import { type CommandDetail, MIGRATION_COMMANDS, type MigrationCommand } from './records.ts';

export interface CommandHeader {
  readonly start: number;
  readonly command: number;
  readonly name: MigrationCommand | undefined;
  readonly payload: Range;
}

/**
 * Reads a COMMAND record up to its payload; the window stands behind the type byte at `start + 1`.
 * Wire form: u16 command, u16 length of the payload, both big endian (migration/savevm.c, qemu_savevm_command_send).
 */
export async function readCommandHeader(window: Window, start: number): Promise<CommandHeader> {
  const command = await window.readU16('a COMMAND record');
  const length = await window.readU16('a COMMAND record');
  const payload = { start: window.offset, end: window.offset + length };
  if (length > window.remaining)
    throw window.error('truncated', 'the stream ends inside a command', window.end);
  return { start, command, name: MIGRATION_COMMANDS[command], payload };
}

/** Payload lengths that are fixed: what loadvm_process_command insists on. */
const FIXED_LENGTH: Partial<Record<MigrationCommand, number>> = {
  OPEN_RETURN_PATH: 0,
  PING: 4,
  POSTCOPY_LISTEN: 0,
  POSTCOPY_RUN: 0,
  PACKAGED: 4,
  ENABLE_COLO: 0,
  POSTCOPY_RESUME: 0,
  SWITCHOVER_START: 0,
};

/**
 * Decodes the payload of a known command; PACKAGED is left to the caller, as its package follows the payload.
 * Throws DecodeError `bad-command` when the payload cannot be.
 */
export async function readCommandDetail(
  window: Window,
  header: CommandHeader,
): Promise<CommandDetail | undefined> {
  const { name, payload } = header;
  const length = payload.end - payload.start;
  const bad = (message: string) =>
    new DecodeError({
      severity: 'error',
      code: 'bad-command',
      message: `MIG_CMD_${name}: ${message}`,
      range: payload,
    });
  if (name === undefined) return undefined;
  const fixed = FIXED_LENGTH[name];
  if (fixed !== undefined && fixed !== length) throw bad(`payload of ${length} bytes, expected ${fixed}`);
  switch (name) {
    case 'PING':
      return { command: 'PING', value: await window.readU32('MIG_CMD_PING') };
    case 'POSTCOPY_ADVISE': {
      // Without postcopy-ram (dirty-bitmaps alone) the payload is empty.
      if (length === 0) return undefined;
      if (length !== 16) throw bad(`payload of ${length} bytes, expected 0 or 16`);
      const pageSizeSummary = await window.readU64('MIG_CMD_POSTCOPY_ADVISE');
      return {
        command: name,
        pageSizeSummary,
        targetPageSize: await window.readU64('MIG_CMD_POSTCOPY_ADVISE'),
      };
    }
    case 'POSTCOPY_RAM_DISCARD': {
      // u8 version 0, len8 + name, a zero byte, then (u64 start, u64 length) until the payload ends.
      if (length < 3) throw bad(`payload of ${length} bytes is too short`);
      const version = await window.readU8('MIG_CMD_POSTCOPY_RAM_DISCARD');
      if (version !== 0) throw bad(`version ${version}, only 0 is known`);
      const block = await window.readText8('MIG_CMD_POSTCOPY_RAM_DISCARD');
      if (window.offset >= payload.end) throw bad('the block name is longer than the payload');
      window.skip(1, 'MIG_CMD_POSTCOPY_RAM_DISCARD');
      if ((payload.end - window.offset) % 16 !== 0)
        throw bad('a range list that is not a multiple of 16 bytes');
      const ranges = [];
      while (window.offset < payload.end) {
        const start = await window.readU64('MIG_CMD_POSTCOPY_RAM_DISCARD');
        ranges.push({ start, length: await window.readU64('MIG_CMD_POSTCOPY_RAM_DISCARD') });
      }
      return { command: name, block, ranges };
    }
    case 'RECV_BITMAP': {
      const block = await window.readText8('MIG_CMD_RECV_BITMAP');
      if (window.offset !== payload.end) throw bad('the block name does not fill the payload');
      return { command: name, block };
    }
    default:
      return undefined;
  }
}
