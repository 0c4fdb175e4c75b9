import type { Term } from '../../expressions/term.ts';
import type { Terms } from '../../expressions/terms.ts';
import type { MachineImage } from './image.ts';
import type { MachineState } from './state.ts';

/** A call that is about to happen. */
export interface Call {
  readonly image: MachineImage;
  readonly terms: Terms;
  readonly target: Term;
  readonly state: MachineState;
  /** What is in the argument registers, whether the function takes so many or not. */
  readonly args: readonly Term[];
}

/** What a call that is not entered does. */
export interface CallEffect {
  readonly result: Term;
  /** Whether objects and variables hold afterwards what they held before. */
  readonly keepsMemory: boolean;
}

const noReturn: ReadonlySet<string> = new Set(
  [
    'abort',
    'exit',
    '_exit',
    '_Exit',
    'quick_exit',
    '__assert_fail',
    '__stack_chk_fail',
    '__fortify_fail',
    '__chk_fail',
    '__longjmp_chk',
    'siglongjmp',
    'longjmp',
    'g_assertion_message',
    'g_assertion_message_expr',
    'g_assertion_message_cmpint',
    'g_assertion_message_cmpnum',
    'g_assertion_message_cmpstr',
    'g_assertion_message_error',
    'g_abort',
  ].map((name) => `import ${name}`),
);

/** Library functions that write where their first argument points. */
const writing: ReadonlySet<string> = new Set(
  [
    'memcpy',
    'memmove',
    'memset',
    'strcpy',
    'strncpy',
    'strcat',
    'snprintf',
    'sprintf',
    'vsnprintf',
    'qsort',
    '__memcpy_chk',
    '__memmove_chk',
    '__memset_chk',
    '__snprintf_chk',
    '__sprintf_chk',
    '__vsnprintf_chk',
    'pstrcpy',
  ].map((name) => `import ${name}`),
);

/** Whether a library function never comes back: an assertion failed. */
export function isNoReturn(target: Term): boolean {
  return target.operator === 'symbol' && noReturn.has(target.name);
}

/** What a call of a library, or a QOM cast, does without being entered; undefined for one to enter. */
export function effectOfKnownCall(call: Call): CallEffect | undefined {
  const { terms, target, args } = call;
  if (target.operator === 'symbol')
    return { result: terms.unknown('call'), keepsMemory: !writing.has(target.name) };
  if (target.operator !== 'constant') return { result: terms.unknown('call'), keepsMemory: false };
  if (isCast(call)) return { result: args[0]!, keepsMemory: true };
  return undefined;
}

/**
 * Whether a call is a checked QOM cast, which returns its first argument or aborts: `object_dynamic_cast_assert(object,
 * type name, __FILE__, __LINE__, __func__)`, or `object_class_dynamic_cast_assert`. No other function of QEMU takes a
 * string, a source file, a line and a function name after its first argument, so the arguments tell, in a stripped
 * binary too. What an earlier call left in the registers is unknown by then, so it cannot be mistaken.
 */
function isCast({ image, args: [, type, file, line, func] }: Call): boolean {
  if (line?.operator !== 'constant' || line.value === 0n || line.value > 1_000_000n) return false;
  if (file?.operator !== 'constant' || type?.operator !== 'constant' || func?.operator !== 'constant')
    return false;
  return (
    /\.(c|h|cc|cpp|inc)$/.test(readText(image, file)) &&
    /^[A-Za-z_]\w*$/.test(readText(image, func)) &&
    readText(image, type) !== ''
  );
}

const MAX_TEXT = 256;

/** The printable string in constant memory that a term points to; empty where there is none. */
function readText(image: MachineImage, pointer: Term): string {
  const address = Number(pointer.value);
  if (!Number.isSafeInteger(address) || !image.isReadOnly(address)) return '';
  const bytes = image.read(address, MAX_TEXT);
  let text = '';
  for (const byte of bytes ?? []) {
    if (byte === 0) return text;
    if (byte < 0x20 || byte > 0x7e) return '';
    text += String.fromCharCode(byte);
  }
  return '';
}
