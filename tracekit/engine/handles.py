"""State that compiled code reaches through one pointer.

A `Handle` is a class whose annotations name its fields: arrays of one dimension (of records or numbers) and ints.
In compiled code it is a pointer to a table of addresses, and `handle.field[i]` is a plain address computation
without reference counting, bounds or negative indices. A NamedTuple of arrays does the same job, but numba then
passes some hundred values to every function: measured on this engine, compiling took four times as long.

Without the JIT a handle is an ordinary object with numpy arrays. Arrays must outlive the handle's use, which they do:
the handle holds them.
"""

from __future__ import annotations

import operator
from typing import Any, ClassVar

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.typing.templates import AttributeTemplate
from numba.extending import (
    NativeValue,
    infer_getattr,
    lower_builtin,
    lower_getattr,
    lower_getattr_generic,
    register_model,
    type_callable,
    typeof_impl,
    unbox,
)  # fmt: skip
from numba.np.numpy_support import from_dtype

_TAKEN = frozenset(dir(np.record))
WORDS = 2  # table words a field takes: address and size, or the value and 0


class Handle:
    """Base of all state classes. Construct with one value per annotated field, in order."""

    fields: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        cls.fields = tuple(cls.__annotations__)

    def __init__(self, *values: Any) -> None:
        if len(values) != len(self.fields):
            raise TypeError(f"{type(self).__name__} has {len(self.fields)} fields, got {len(values)}")
        table = np.zeros(WORDS * len(values), np.int64)
        for i, (name, value) in enumerate(zip(self.fields, values, strict=True)):
            setattr(self, name, value)
            if isinstance(value, np.ndarray):
                if value.ndim != 1 or not value.flags.c_contiguous:
                    raise TypeError(f"{name} must be a contiguous array of one dimension")
                taken = set(value.dtype.names or ()) & _TAKEN
                if taken:
                    raise TypeError(f"{name} has a field {min(taken)}, which without the JIT is numpy's own attribute")
                table[WORDS * i] = value.ctypes.data
                table[WORDS * i + 1] = value.size
            else:
                table[WORDS * i] = value
        self._table = table
        self._address = int(table.ctypes.data)


class RowsType(types.Type):
    """The numba type of one array field."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(name=f"Rows({dtype})")


class HandleType(types.Type):
    """The numba type of a Handle: its class, and the type of each field (a RowsType, or int64)."""

    def __init__(self, instance_class: type[Handle], members: tuple[types.Type, ...]) -> None:
        self.instance_class = instance_class
        self.members = members
        super().__init__(name=f"Handle({instance_class.__module__}.{instance_class.__qualname__}, {members})")

    def member(self, attribute: str) -> int:
        """The position of a field, or -1."""
        fields = self.instance_class.fields
        return fields.index(attribute) if attribute in fields else -1


@typeof_impl.register(Handle)
def _typeof(value: Handle, context: Any) -> HandleType:
    members = []
    for name in value.fields:
        field = getattr(value, name)
        members.append(RowsType(from_dtype(field.dtype)) if isinstance(field, np.ndarray) else types.int64)
    return HandleType(type(value), tuple(members))


@register_model(HandleType)
class _HandleModel(models.PrimitiveModel):
    def __init__(self, manager: Any, handle: Any) -> None:
        super().__init__(manager, handle, ir.IntType(8).as_pointer())


@register_model(RowsType)
class _RowsModel(models.StructModel):
    def __init__(self, manager: Any, rows: Any) -> None:
        super().__init__(manager, rows, [("data", types.voidptr), ("size", types.intp)])


@unbox(HandleType)
def _unbox(handle: Any, value: Any, c: Any) -> NativeValue:
    attribute = c.pyapi.object_getattr_string(value, "_address")
    address = c.pyapi.long_as_longlong(attribute)
    c.pyapi.decref(attribute)
    return NativeValue(c.builder.inttoptr(address, ir.IntType(8).as_pointer()))


@infer_getattr
class _HandleAttributes(AttributeTemplate):
    key = HandleType

    def generic_resolve(self, handle: HandleType, attribute: str) -> types.Type | None:
        i = handle.member(attribute)
        return handle.members[i] if i >= 0 else None


@lower_getattr_generic(HandleType)
def _field(context: Any, builder: Any, handle: HandleType, value: Any, attribute: str) -> Any:
    i = handle.member(attribute)
    word = ir.IntType(64)
    table = builder.bitcast(value, word.as_pointer())
    first = _load_word(builder, table, WORDS * i)
    member = handle.members[i]
    if not isinstance(member, RowsType):
        return first
    rows = cgutils.create_struct_proxy(member)(context, builder)
    rows.data = builder.inttoptr(first, ir.IntType(8).as_pointer())
    rows.size = _load_word(builder, table, WORDS * i + 1)
    return rows._getvalue()


def _load_word(builder: Any, table: Any, index: int) -> Any:
    loaded = builder.load(builder.gep(table, [ir.Constant(ir.IntType(64), index)]))
    # the table never changes during a run, so that LLVM may keep what it loaded
    loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
    return loaded


@infer_getattr
class _RowsAttributes(AttributeTemplate):
    key = RowsType

    def resolve_size(self, rows: RowsType) -> types.Type:
        return types.intp


@lower_getattr(RowsType, "size")
def _size(context: Any, builder: Any, rows: Any, value: Any) -> Any:
    return cgutils.create_struct_proxy(rows)(context, builder, value).size


@type_callable(operator.getitem)
def _type_getitem(context: Any) -> Any:
    def typer(rows: Any, index: Any) -> Any:
        if isinstance(rows, RowsType) and isinstance(index, types.Integer):
            return rows.dtype
        return None

    return typer


@type_callable(operator.setitem)
def _type_setitem(context: Any) -> Any:
    def typer(rows: Any, index: Any, value: Any) -> Any:
        if isinstance(rows, RowsType) and isinstance(index, types.Integer):
            return types.none
        return None

    return typer


def _address(context: Any, builder: Any, rows_type: Any, rows: Any, index_type: Any, index: Any) -> Any:
    struct = cgutils.create_struct_proxy(rows_type)(context, builder, rows)
    position = context.cast(builder, index, index_type, types.int64)
    size = context.get_abi_sizeof(context.get_data_type(rows_type.dtype))
    offset = builder.mul(position, ir.Constant(ir.IntType(64), size))
    return builder.gep(struct.data, [offset], source_etype=ir.IntType(8))


@lower_builtin(operator.getitem, RowsType, types.Integer)
def _getitem(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    rows_type, index_type = signature.args
    address = _address(context, builder, rows_type, arguments[0], index_type, arguments[1])
    dtype = rows_type.dtype
    if isinstance(dtype, types.Record):
        return builder.bitcast(address, context.get_value_type(dtype))
    pointer = builder.bitcast(address, context.get_data_type(dtype).as_pointer())
    return context.unpack_value(builder, dtype, pointer)


@lower_builtin(operator.setitem, RowsType, types.Integer, types.Any)
def _setitem(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    rows_type, index_type, value_type = signature.args
    address = _address(context, builder, rows_type, arguments[0], index_type, arguments[1])
    dtype = rows_type.dtype
    pointer = builder.bitcast(address, context.get_data_type(dtype).as_pointer())
    context.pack_value(builder, dtype, context.cast(builder, arguments[2], value_type, dtype), pointer)
    return context.get_dummy_value()
