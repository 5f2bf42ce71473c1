import json
import warnings

from data import digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier

warnings.simplefilter("ignore", ConvergenceWarning)
network = MLPClassifier(learning_rate_init=0.003, batch_size=32, max_iter=10, random_state=1)
grid = GridSearchCV(network, {"hidden_layer_sizes": [[4], [32]]}, cv=3).fit(*digits("train", 1000))
print(json.dumps(dict(zip([4, 32], grid.cv_results_["mean_test_score"]))))
