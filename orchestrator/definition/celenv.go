package definition

import (
	"cmp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/parser"
)

// Limits of expressions.
const (
	// MaxExpressionLength is how many characters one expression may have.
	MaxExpressionLength = 4096
	// CostLimit is what one evaluation may cost by CEL's own count, roughly one per operation and per ten characters.
	CostLimit = 200_000
	// memoryLimit is how large one value may become in an evaluation: its values, and a tenth of its characters.
	memoryLimit = 1 << 19
	// memorySample is how often an operation runs before its value is sized again. Every time would make map() and filter() quadratic.
	memorySample = 1024
	maxNesting   = 48
	maxNodes     = 20_000
)

// inOrder is the function that the macros put around what they walk.
const inOrder = "@in_order"

// newEnv is CEL as definitions may use it: the standard functions, less those whose answer depends on the machine, and the
// optional types. Versions are pinned, so an expression means the same for as long as its definition lives.
func newEnv() (*cel.Env, error) {
	return cel.NewCustomEnv(
		cel.StdLib(cel.StdLibSubset(&env.LibrarySubset{
			ExcludeMacros:    []string{operators.All, operators.Exists, operators.ExistsOne, "existsOne", operators.Map, operators.Filter},
			ExcludeFunctions: zonedFunctions(),
		})),
		cel.OptionalTypes(cel.OptionalTypesVersion(2)),
		cel.Macros(orderedMacros()...),
		cel.Function(inOrder,
			cel.Overload("in_order_list", []*cel.Type{cel.ListType(cel.TypeParamType("A"))}, cel.ListType(cel.TypeParamType("A"))),
			cel.Overload("in_order_map", []*cel.Type{cel.MapType(cel.TypeParamType("A"), cel.TypeParamType("B"))}, cel.ListType(cel.TypeParamType("A"))),
			cel.SingletonUnaryBinding(keysInOrder)),
		cel.Variable(inputRoot, cel.DynType),
		cel.Variable(outputRoot, cel.DynType),
		cel.Variable(stepsRoot, cel.MapType(cel.StringType, cel.MapType(cel.StringType, cel.DynType))),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(MaxExpressionLength),
		cel.ParserRecursionLimit(maxNesting),
		cel.ParserErrorRecoveryLimit(4),
		cel.ExpressionNodeLimit(maxNodes),
		cel.RegexProgramSizeLimit(10_000),
	)
}

// limits bound an evaluation. Cost is counted, not timed: the same expression over the same data always gives the same answer.
func limits() []cel.ProgramOption {
	size := types.NewSizeCalculator(types.SizeCalculatorMaxDepth(10_000), types.SizeCalculatorMaxTraversal(memoryLimit))
	return []cel.ProgramOption{
		cel.CostLimit(CostLimit),
		cel.MemoryTracking(types.MemoryTrackerSizeCalculator(size), types.MemoryTrackerSampleInterval(memorySample)),
		cel.MemoryLimit(memoryLimit),
	}
}

// zonedFunctions are the timestamps' accessors that take a time zone: its rules come from tables that differ between machines.
func zonedFunctions() []*env.Function {
	var functions []*env.Function
	for name, overload := range map[string]string{
		"getFullYear": "timestamp_to_year_with_tz", "getMonth": "timestamp_to_month_with_tz",
		"getDayOfYear": "timestamp_to_day_of_year_with_tz", "getDayOfMonth": "timestamp_to_day_of_month_with_tz",
		"getDate": "timestamp_to_day_of_month_1_based_with_tz", "getDayOfWeek": "timestamp_to_day_of_week_with_tz",
		"getHours": "timestamp_to_hours_with_tz", "getMinutes": "timestamp_to_minutes_with_tz",
		"getSeconds": "timestamp_to_seconds_tz", "getMilliseconds": "timestamp_to_milliseconds_with_tz",
	} {
		functions = append(functions, env.NewFunction(name, env.NewOverload(overload, nil, nil)))
	}
	return functions
}

// orderedMacros are the standard macros that walk a list or a map, walking maps in the order of their keys: Go's own order of maps
// is random, and an expression would give other bytes each time.
func orderedMacros() []cel.Macro {
	type expander = func(parser.ExprHelper, ast.Expr, []ast.Expr) (ast.Expr, *cel.Error)
	ordered := func(name string, args int, expand expander) cel.Macro {
		return cel.ReceiverMacro(name, args, func(eh cel.MacroExprFactory, target ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
			return expand(eh, eh.NewCall(inOrder, target), args)
		})
	}
	return []cel.Macro{
		ordered(operators.All, 2, parser.MakeAll),
		ordered(operators.Exists, 2, parser.MakeExists),
		ordered(operators.ExistsOne, 2, parser.MakeExistsOne),
		ordered("existsOne", 2, parser.MakeExistsOne),
		ordered(operators.Map, 2, parser.MakeMap),
		ordered(operators.Map, 3, parser.MakeMap),
		ordered(operators.Filter, 2, parser.MakeFilter),
	}
}

// keysInOrder answers a list as it is, and a map's keys sorted.
func keysInOrder(v ref.Val) ref.Val {
	m, isMap := v.(traits.Mapper)
	if !isMap {
		if _, isList := v.(traits.Lister); isList {
			return v
		}
		return types.NewErr("no such overload: only lists and objects can be walked")
	}
	return types.NewRefValList(types.DefaultTypeAdapter, sortedKeys(m))
}

// sortedKeys lists a map's keys, by type and then by value.
func sortedKeys(m traits.Mapper) []ref.Val {
	var keys []ref.Val
	for it := m.Iterator(); it.HasNext() == types.True; {
		keys = append(keys, it.Next())
	}
	slices.SortFunc(keys, func(a, b ref.Val) int {
		if c := strings.Compare(a.Type().TypeName(), b.Type().TypeName()); c != 0 {
			return c
		}
		switch a := a.(type) {
		case types.String:
			return strings.Compare(string(a), string(b.(types.String)))
		case types.Int:
			return cmp.Compare(a, b.(types.Int))
		case types.Uint:
			return cmp.Compare(a, b.(types.Uint))
		case types.Bool:
			if a == b.(types.Bool) {
				return 0
			} else if a {
				return 1
			}
			return -1
		}
		return 0
	})
	return keys
}
