import { formSize } from './abbreviations.ts';
import * as dw from './constants.ts';
import type { Cursor } from './cursor.ts';
import type { Unit } from './units.ts';

/** Reads the values of attributes by their forms (DWARF 5, 7.5.5), one at a time. Throws DwarfProblem. */
export class ValueReader {
  /** Where it is in .debug_info. */
  readonly cursor: Cursor;
  /** Of the last value; NaN for one above 2^53. */
  value = 0;
  /** Bytes of the last block. */
  length = 0;
  readonly #signatures: ReadonlyMap<string, number>;

  /** `signatures`: offsets of types. */
  constructor(cursor: Cursor, signatures: ReadonlyMap<string, number>) {
    this.cursor = cursor;
    this.#signatures = signatures;
  }

  /** Moves behind a value. */
  skip(unit: Unit, form: number): void {
    const { cursor } = this;
    const size = formSize(form, unit);
    if (size >= 0) {
      cursor.take(size);
      return;
    }
    switch (form) {
      case dw.DW_FORM_string:
        cursor.skipText();
        break;
      case dw.DW_FORM_block1:
        cursor.take(cursor.u8());
        break;
      case dw.DW_FORM_block2:
        cursor.take(cursor.u16());
        break;
      case dw.DW_FORM_block4:
        cursor.take(cursor.u32());
        break;
      case dw.DW_FORM_block:
      case dw.DW_FORM_exprloc:
        cursor.take(cursor.index());
        break;
      case dw.DW_FORM_sdata:
      case dw.DW_FORM_udata:
      case dw.DW_FORM_ref_udata:
      case dw.DW_FORM_strx:
      case dw.DW_FORM_addrx:
      case dw.DW_FORM_loclistx:
      case dw.DW_FORM_rnglistx:
      case dw.DW_FORM_GNU_addr_index:
      case dw.DW_FORM_GNU_str_index:
        cursor.skipLeb();
        break;
      case dw.DW_FORM_indirect: {
        const real = cursor.index();
        if (real === dw.DW_FORM_indirect) throw cursor.problem('a form leads to itself');
        this.skip(unit, real);
        break;
      }
      default:
        throw cursor.problem(`unknown form 0x${form.toString(16)}`);
    }
  }

  /** Reads a value into `value`: a number, or where a block or text begins, with its `length`. Its real form. */
  read(unit: Unit, form: number, constant: number | undefined): number {
    const { cursor } = this;
    const number = (value: number | undefined) => {
      this.value = value ?? Number.NaN;
      return form;
    };
    const block = (length: number) => {
      this.length = length;
      return number(cursor.take(length));
    };
    switch (form) {
      case dw.DW_FORM_implicit_const:
        return number(constant);
      case dw.DW_FORM_flag_present:
        return number(1);
      case dw.DW_FORM_data1:
      case dw.DW_FORM_flag:
      case dw.DW_FORM_ref1:
      case dw.DW_FORM_strx1:
      case dw.DW_FORM_addrx1:
        return number(cursor.u8());
      case dw.DW_FORM_data2:
      case dw.DW_FORM_ref2:
      case dw.DW_FORM_strx2:
      case dw.DW_FORM_addrx2:
        return number(cursor.u16());
      case dw.DW_FORM_strx3:
      case dw.DW_FORM_addrx3:
        return number(cursor.u24());
      case dw.DW_FORM_data4:
      case dw.DW_FORM_ref4:
      case dw.DW_FORM_ref_sup4:
      case dw.DW_FORM_strx4:
      case dw.DW_FORM_addrx4:
        return number(cursor.u32());
      case dw.DW_FORM_data8:
      case dw.DW_FORM_ref8:
      case dw.DW_FORM_ref_sup8:
        return number(cursor.u64());
      case dw.DW_FORM_ref_sig8: {
        const [high, low] = [cursor.u32(), cursor.u32()];
        return number(this.#signatures.get(`${high} ${low}`));
      }
      case dw.DW_FORM_data16:
        return block(16);
      case dw.DW_FORM_addr:
        return number(unit.addressSize === 8 ? cursor.u64() : cursor.u32());
      case dw.DW_FORM_ref_addr:
        return number(
          unit.version > 2 ? cursor.offset(unit.is64) : unit.addressSize === 8 ? cursor.u64() : cursor.u32(),
        );
      case dw.DW_FORM_sec_offset:
      case dw.DW_FORM_strp:
      case dw.DW_FORM_line_strp:
      case dw.DW_FORM_strp_sup:
      case dw.DW_FORM_GNU_ref_alt:
      case dw.DW_FORM_GNU_strp_alt:
        return number(cursor.offset(unit.is64));
      case dw.DW_FORM_sdata:
        return number(cursor.sleb());
      case dw.DW_FORM_udata:
      case dw.DW_FORM_ref_udata:
      case dw.DW_FORM_strx:
      case dw.DW_FORM_addrx:
      case dw.DW_FORM_loclistx:
      case dw.DW_FORM_rnglistx:
      case dw.DW_FORM_GNU_addr_index:
      case dw.DW_FORM_GNU_str_index:
        return number(cursor.uleb());
      case dw.DW_FORM_block1:
        return block(cursor.u8());
      case dw.DW_FORM_block2:
        return block(cursor.u16());
      case dw.DW_FORM_block4:
        return block(cursor.u32());
      case dw.DW_FORM_block:
      case dw.DW_FORM_exprloc:
        return block(cursor.index());
      case dw.DW_FORM_string: {
        const start = cursor.pos;
        cursor.skipText();
        return number(start);
      }
      case dw.DW_FORM_indirect: {
        const real = cursor.index();
        if (real === dw.DW_FORM_indirect) throw cursor.problem('a form leads to itself');
        return this.read(unit, real, undefined);
      }
      default:
        throw cursor.problem(`unknown form 0x${form.toString(16)}`);
    }
  }
}

export function isConstant(form: number): boolean {
  return (
    form === dw.DW_FORM_data1 ||
    form === dw.DW_FORM_data2 ||
    form === dw.DW_FORM_data4 ||
    form === dw.DW_FORM_data8 ||
    form === dw.DW_FORM_udata ||
    form === dw.DW_FORM_sdata ||
    form === dw.DW_FORM_implicit_const
  );
}

export function isBlock(form: number): boolean {
  return (
    form === dw.DW_FORM_exprloc ||
    form === dw.DW_FORM_block1 ||
    form === dw.DW_FORM_block2 ||
    form === dw.DW_FORM_block4 ||
    form === dw.DW_FORM_block
  );
}

/** A reference inside the unit. */
export function isUnitReference(form: number): boolean {
  return (form >= dw.DW_FORM_ref1 && form <= dw.DW_FORM_ref8) || form === dw.DW_FORM_ref_udata;
}
