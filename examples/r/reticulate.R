# The flow from R by way of Python: Rscript examples/r/reticulate.R. Needs the R package reticulate and a Python that has genelift
# (RETICULATE_PYTHON names it); without either it says so and ends.

if (!requireNamespace("reticulate", quietly = TRUE)) {
  cat("SKIPPED: the R package reticulate is not installed\n")
  quit(status = 0)
}
if (!reticulate::py_module_available("genelift")) {
  cat("SKIPPED: the Python that reticulate found has no module genelift; RETICULATE_PYTHON names another\n")
  quit(status = 0)
}
genelift <- reticulate::import("genelift")
set.seed(1)
factors <- matrix(rnorm(100 * 5), 100)
expression <- factors %*% matrix(rnorm(5 * 60), 5) + 0.3 * matrix(rnorm(100 * 60), 100)
colnames(expression) <- paste0("gene_", seq_len(60))
landmarks <- genelift$select(reticulate::r_to_py(as.data.frame(expression)), n = 10L)
print(landmarks)
