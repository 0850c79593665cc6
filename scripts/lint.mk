.PHONY: lint api-baseline
lint: ## format, warnings of two compilers, clang-tidy, rooms, sizes, the API's baseline, rules without a test
	@scripts/setup build test lint
	@PYTHONDONTWRITEBYTECODE=1 scripts/lint

api-baseline: ## take additions to the API into its baseline (never removals)
	@/usr/bin/python3 scripts/check_api.py --update
