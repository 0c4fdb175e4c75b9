import {
  DW_FORM_block,
  DW_FORM_data1,
  DW_FORM_data2,
  DW_FORM_data4,
  DW_FORM_data8,
  DW_FORM_data16,
  DW_FORM_line_strp,
  DW_FORM_string,
  DW_FORM_strp,
  DW_FORM_strp_sup,
  DW_FORM_udata,
  DW_LNCT_directory_index,
  DW_LNCT_path,
} from './constants.ts';
import { Cursor, textAt } from './cursor.ts';
import type { DebugSections } from './debug-data.ts';

/** Files of a unit; real ones have some hundred. */
const MAX_FILES = 65_536;
const MAX_FORMATS = 64;

/**
 * The source files of the line table at an offset of .debug_line, as DW_AT_decl_file numbers them, with the folders that
 * the compiler was given (DWARF 5, 6.2.4; the header only). An entry is undefined where it cannot be told.
 */
export function readSourceFiles(sections: DebugSections, offset: number): readonly (string | undefined)[] {
  if (!sections.line) return [];
  const cursor = new Cursor('.debug_line', sections.line, sections.littleEndian, offset);
  const first = cursor.u32();
  const is64 = first === 0xffff_ffff;
  if (is64) cursor.u64();
  const version = cursor.u16();
  if (version < 2 || version > 5) throw cursor.problem(`a table of version ${version}`, offset);
  if (version >= 5) cursor.take(2);
  cursor.offset(is64);
  // minimum_instruction_length, maximum_operations_per_instruction (from 4 on), default_is_stmt, line_base, line_range
  cursor.take(version >= 4 ? 5 : 4);
  const opcodes = cursor.u8();
  cursor.take(Math.max(0, opcodes - 1));
  if (version < 5) return readOldTables(cursor);
  const folders = readTable(cursor, sections, is64).map(({ path }) => path);
  return readTable(cursor, sections, is64).map(({ path, folder }) => joined(folders[folder], path));
}

/** Folders and files up to DWARF 4: numbered from 1 on; folder 0 is that of the compilation. */
function readOldTables(cursor: Cursor): (string | undefined)[] {
  const folders: (string | undefined)[] = [undefined];
  for (let path = cursor.text(); path !== '' && folders.length < MAX_FILES; path = cursor.text())
    folders.push(path);
  const files: (string | undefined)[] = [undefined];
  for (let path = cursor.text(); path !== '' && files.length < MAX_FILES; path = cursor.text()) {
    files.push(joined(folders[cursor.index()], path));
    cursor.skipLeb();
    cursor.skipLeb();
  }
  return files;
}

function readTable(
  cursor: Cursor,
  sections: DebugSections,
  is64: boolean,
): { readonly path: string | undefined; readonly folder: number }[] {
  const formats = cursor.u8();
  if (formats > MAX_FORMATS) throw cursor.problem('a table of files has too many columns');
  const columns = Array.from({ length: formats }, () => [cursor.index(), cursor.index()] as const);
  const count = cursor.index();
  if (count > MAX_FILES || (formats === 0 && count > 0))
    throw cursor.problem(`${count} source files of one unit cannot be`);
  const rows: { readonly path: string | undefined; readonly folder: number }[] = [];
  for (let i = 0; i < count; i++) {
    let path: string | undefined;
    let folder = 0;
    for (const [content, form] of columns) {
      const value = readValue(cursor, sections, form, is64);
      if (content === DW_LNCT_path && typeof value === 'string') path = value;
      if (content === DW_LNCT_directory_index && typeof value === 'number') folder = value;
    }
    rows.push({ path, folder });
  }
  return rows;
}

function readValue(
  cursor: Cursor,
  { str, lineStr }: DebugSections,
  form: number,
  is64: boolean,
): string | number | undefined {
  switch (form) {
    case DW_FORM_string:
      return cursor.text();
    case DW_FORM_line_strp:
      return textAt(lineStr, cursor.offset(is64));
    case DW_FORM_strp:
      return textAt(str, cursor.offset(is64));
    case DW_FORM_strp_sup:
      cursor.offset(is64);
      return undefined;
    case DW_FORM_data1:
      return cursor.u8();
    case DW_FORM_data2:
      return cursor.u16();
    case DW_FORM_data4:
      return cursor.u32();
    case DW_FORM_data8:
      return cursor.u64();
    case DW_FORM_udata:
      return cursor.uleb();
    case DW_FORM_data16:
      cursor.take(16);
      return undefined;
    case DW_FORM_block:
      cursor.take(cursor.index());
      return undefined;
    default:
      throw cursor.problem(`unknown form 0x${form.toString(16)} in a table of files`);
  }
}

function joined(folder: string | undefined, path: string | undefined): string | undefined {
  if (path === undefined || path.startsWith('/') || folder === undefined) return path;
  return folder.endsWith('/') ? `${folder}${path}` : `${folder}/${path}`;
}
