# Speed, beside a peer in the same run.
.PHONY: bench
bench: ## import 1,000,000 users, measure GET and search beside nginx (OMNI_BENCH_USERS=…)
	@scripts/setup build bench
	+@$(submake) -s V=release programs
	@bench/bench $(B)
