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
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
suppressPackageStartupMessages(source(file.path(here, "genelift.R")))

# Without conversion: Debian's reticulate (1.28) knows neither the arrays of NumPy 2 nor the frames of a pandas that uses it. Tables are read
# from their files, and values go as lists; a newer reticulate converts both.
genelift <- reticulate::import("genelift", convert = FALSE)

# 120 samples of 60 genes behind which are five factors; a sixth of the samples is held out.
set.seed(1)
expression <- matrix(rnorm(120 * 5), 120) %*% matrix(rnorm(5 * 60), 5) + 0.3 * matrix(rnorm(120 * 60), 120)
dimnames(expression) <- list(paste0("sample_", 1:120), paste0("gene_", 1:60))
expression <- as.data.frame(expression)
train <- expression[1:100, ]
test <- expression[101:120, ]

# Whole numbers are R's doubles unless they end with L.
model <- genelift$train(train, hidden = list(20L, 5L, 20L), epochs = 20L)
scores <- genelift$attribute(model, train)
landmarks <- genelift$select(train, n = 10L)
predictor <- genelift$fit(train, landmarks)
panel <- unlist(reticulate::py_to_r(landmarks$genes))
frame <- genelift$predict(predictor, test[, panel])
completed <- do.call(rbind, reticulate::py_to_r(frame$to_numpy()$tolist()))
colnames(completed) <- unlist(reticulate::py_to_r(frame$columns$tolist()))

print(head(read_result(reticulate::py_str(scores$path)), 3))
cat("landmarks:", panel, "\n")
inferred <- setdiff(colnames(test), panel)
r2 <- sapply(inferred, function(gene) 1 - sum((completed[, gene] - test[[gene]])^2) / sum((test[[gene]] - mean(test[[gene]]))^2))
cat(sprintf("median R2 of %d inferred genes in %d samples held out: %.3f\n", length(inferred), nrow(test), median(r2)))
