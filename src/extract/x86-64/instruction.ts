/** Number of a general register: rax 0, rcx 1, rdx 2, rbx 3, rsp 4, rbp 5, rsi 6, rdi 7, r8 to r15. */
type GeneralRegister = number;

export type Operand =
  /** `high`: bits 8 to 15 (ah, ch, dh, bh). */
  | {
      readonly kind: 'register';
      readonly register: GeneralRegister;
      readonly size: number;
      readonly high: boolean;
    }
  | { readonly kind: 'vector'; readonly register: number; readonly size: number }
  /** Sign-extended to 64 bits as the instruction does it. */
  | { readonly kind: 'immediate'; readonly value: bigint }
  | MemoryOperand
  /** Of a direct jump or call. */
  | { readonly kind: 'target'; readonly address: number }
  | { readonly kind: 'other' };

export interface MemoryOperand {
  readonly kind: 'memory';
  /** fs and gs hold thread-local storage. */
  readonly segment: 'fs' | 'gs' | undefined;
  readonly base: GeneralRegister | undefined;
  readonly index: GeneralRegister | undefined;
  readonly scale: number;
  /** Of an operand relative to the instruction, the address. */
  readonly displacement: bigint;
  /** Address arithmetic in 32 bits. */
  readonly narrow: boolean;
  /** Bytes; 0 where the instruction only computes the address. */
  readonly size: number;
}

export type FlagCondition =
  | 'o'
  | 'no'
  | 'b'
  | 'ae'
  | 'e'
  | 'ne'
  | 'be'
  | 'a'
  | 's'
  | 'ns'
  | 'p'
  | 'np'
  | 'l'
  | 'ge'
  | 'le'
  | 'g';

/** A decoded instruction. */
export interface Instruction {
  /** As Intel's manual names it, in lower case: `mov`, `setg`, `vpxor`. */
  readonly mnemonic: string;
  readonly operands: readonly Operand[];
  /** Of a conditional jump, move or set. */
  readonly condition: FlagCondition | undefined;
  /** `rep` repeats the instruction rcx times. */
  readonly repeated: boolean;
  /** The next instruction follows it: it is no jump, call, return or trap. */
  readonly goesOn: boolean;
  /** Address of the one after it. */
  readonly next: number;
  /** What it may change; only for mnemonics that the decoder was asked for. */
  readonly written: Written | undefined;
}

/** All that an instruction may change. */
export interface Written {
  readonly registers: readonly GeneralRegister[];
  readonly vectors: readonly number[];
  readonly memory: boolean;
}

/** Decodes the instruction at the start of `bytes`, which lie at `address`; undefined where there is none. */
export type DecodeInstruction = (bytes: Uint8Array, address: number) => Instruction | undefined;
